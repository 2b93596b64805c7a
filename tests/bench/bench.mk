# SPDX-License-Identifier: MIT
# The cost of operations, measured as DESIGN.md's D6 says: in executed instructions.

.PHONY: bench bench-smoke
bench: $(B)/paravane $(B)/pvkernel	## costs on Paravane, Xen and native; results.json and report.html
	tools/bench

bench-smoke: $(B)/paravane $(B)/pvkernel
	tools/bench --quick --tap

# SPDX-License-Identifier: MIT
# The cost of operations, measured as DESIGN.md's D6 says: in executed instructions.

.PHONY: bench bench-smoke bench-wall fairness
bench: $(B)/paravane $(B)/pvkernel $(B)/pvcontrol	## costs on Paravane, Xen and native; results.json and report.html
	tools/bench

bench-smoke: $(B)/paravane $(B)/pvkernel $(B)/pvcontrol
	tools/bench --quick --tap

bench-wall: $(B)/paravane $(B)/pvcontrol	## Debian as our guest against the bare machine, by the clock: boot, disk, network; wall.json
	tests/bench/wall

fairness: $(B)/paravane $(B)/pvkernel $(B)/pvcontrol	## shares and caps asked and achieved, wake-up latency; results.json
	tests/system/fairness

# SPDX-License-Identifier: MIT
.PHONY: abi-check
abi-check:	## promises, tests, documents and layouts in step
	tools/abi-check

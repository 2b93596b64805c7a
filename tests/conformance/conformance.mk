# SPDX-License-Identifier: MIT
# make conformance [HV=paravane|xen|both] [T="NAME ..."]

HV ?= both
T ?=

.PHONY: conformance
conformance: $(CONF) $(if $(filter xen,$(HV)),,$(B)/paravane)	## run the conformance images [HV=paravane|xen] [T=name]
	tests/run --hv $(HV) $(T)

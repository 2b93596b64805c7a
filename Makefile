# SPDX-License-Identifier: MIT
# Paravane: one Makefile. `make help` lists the targets.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

B := build
Q := $(if $(V),,@)
CC := gcc
CLANG := clang
OBJCOPY := objcopy
comma := ,
LD := ld

.DEFAULT_GOAL := all

# --- what a fresh machine lacks ----------------------------------------------

# A target's packages are installed before anything is read of it: make remakes the file
# included here, then starts again.
GOALS := $(or $(MAKECMDGOALS),all)
STAGE := $(if $(filter-out clean help,$(GOALS)),$(if $(filter-out all hypervisor pvkernel pvcontrol $(B)/%,$(GOALS)),$(if $(filter-out run run-guest gdb iso,$(GOALS)),test,run),build))
ifneq ($(STAGE),)
include $(B)/installed-$(STAGE).mk
endif

$(B)/installed-%.mk: tools/install
	@mkdir -p $(@D)
	@tools/install $*
	@touch $@

# --- flags -----------------------------------------------------------------

WARN := -Wall -Wextra -Werror -Wno-unused-parameter -Wmissing-prototypes -Wstrict-prototypes -Wvla
FREESTANDING := -std=gnu11 -ffreestanding -nostdinc -isystem $(shell $(CC) -print-file-name=include 2>/dev/null) \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-common \
	-mno-red-zone -mgeneral-regs-only -fcf-protection=none -I. -g -O2 $(WARN) -MMD -MP

# The hypervisor is linked into the ABI's reserved range, out of reach of a sign-extended
# 32-bit address, so all its references are relative to rip; nothing relocates it.
HV_CFLAGS := $(FREESTANDING) -fpie -fvisibility=hidden -fno-plt -fno-jump-tables -fomit-frame-pointer -mpreferred-stack-boundary=3 \
	-Ihypervisor/include -I$(B)/gen -include hypervisor/include/visibility.h
GUEST_CFLAGS := $(FREESTANDING) -fno-pic -mcmodel=kernel -fno-omit-frame-pointer

# --- sources ---------------------------------------------------------------

HV_SRC := $(filter-out hypervisor/offsets.c hypervisor/check/%,$(wildcard hypervisor/*.c hypervisor/*/*.c hypervisor/*.S hypervisor/*/*.S))
HV_OBJ := $(HV_SRC:%=$(B)/%.o)
# What takes no lock is the same object in both images.
CHECK_SAME := hypervisor/domain/inflate.c
CHECK_OBJ := $(patsubst %,$(B)/check/%.o,$(filter-out $(CHECK_SAME),$(HV_SRC)) $(wildcard hypervisor/check/*.c)) $(CHECK_SAME:%=$(B)/%.o)
# The guest kernel, linked twice: for guests with the frontends, for domain 0 with the toolstack and the backends.
KERNEL_SRC := $(wildcard pvkernel/*.c pvkernel/*.S pvkernel/net/*.c pvkernel/net/*/*.c ring-buffers/*.c)
PVK_OBJ := $(patsubst %,$(B)/guest/%.o,$(KERNEL_SRC) $(wildcard pvkernel/guest/*.c pvkernel/disk/*.c drivers/frontend/*.c))
CTL_OBJ := $(patsubst %,$(B)/guest/%.o,$(KERNEL_SRC) $(wildcard pvkernel/control/*.c pvkernel/control/*/*.c drivers/backend/*.c))
# What the builders of guests and of domain 0 share: the parser of images, and where a domain's first pages lie.
CTL_OBJ += $(patsubst %,$(B)/guest/hypervisor/domain/%.c.o,elf elfnote placement)
# The same with halves of drivers that lie, for tests/system/hostile.
HOSTILE_PVK_OBJ = $(filter-out %/pvkernel/guest/services.c.o,$(PVK_OBJ)) $(patsubst %,$(B)/guest/%.o,$(wildcard tests/hostile/guest/*.c))
HOSTILE_CTL_OBJ = $(CTL_OBJ) $(patsubst %,$(B)/guest/%.o,$(wildcard tests/hostile/control/*.c))
CONF_LIB_SRC := $(wildcard tests/conformance/lib/*.c tests/conformance/lib/*.S)
CONF_LIB_OBJ := $(CONF_LIB_SRC:%=$(B)/%.o)
CONF := $(patsubst tests/conformance/%/main.c,$(B)/conformance/%,$(wildcard tests/conformance/*/main.c))
UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

include tools/libdeflate.mk tools/decompressors.mk tools/lwip.mk tools/e2fsprogs.mk

# --- products --------------------------------------------------------------

.PHONY: all check-hypervisor hypervisor pvkernel pvcontrol conformance-images hostile-images unit fuzzers clean help
all: hypervisor pvkernel pvcontrol conformance-images hostile-images	## build everything
hypervisor: $(B)/paravane	## build the hypervisor
check-hypervisor: $(B)/check/paravane	## the hypervisor with lock order and invariants checked
pvkernel: $(B)/pvkernel	## build the guest kernel
pvcontrol: $(B)/pvcontrol	## build domain 0's: the same kernel with toolstack and backends
conformance-images: $(CONF)
hostile-images: $(B)/hostile/pvkernel $(B)/hostile/pvcontrol
unit: $(UNIT)
fuzzers: $(FUZZ)

# --- hypervisor ------------------------------------------------------------

# Offsets that assembly needs are taken from the compiler, never typed.
$(B)/gen/offsets.h: hypervisor/offsets.c
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CC) $(HV_CFLAGS) -MF $(B)/gen/offsets.d -MT $@ -S -o $(B)/gen/offsets.s $<
	sed -n 's/^.*->\([A-Za-z0-9_]*\) \$$\{0,1\}\([-0-9]*\).*$$/.set \1, \2/p' $(B)/gen/offsets.s > $@

$(B)/hypervisor/%.c.o: hypervisor/%.c Makefile
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CC) $(HV_CFLAGS) -c -o $@ $<

$(B)/hypervisor/%.S.o: hypervisor/%.S $(B)/gen/offsets.h Makefile
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CC) $(HV_CFLAGS) -D__ASSEMBLY__ -c -o $@ $<

# Linked twice: the table of symbols that a backtrace needs comes from the first link, and lies
# behind all that it names.
HV_LINK = $(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack \
	-Wl,--no-warn-rwx-segments -T hypervisor/boot/hypervisor.lds

$(B)/gen/symbols-none.S: tools/symbols
	@mkdir -p $(@D); echo '  $@'
	$(Q)tools/symbols > $@

$(B)/gen/symbols.S: $(B)/paravane-unnamed.elf tools/symbols
	@echo '  $@'
	$(Q)tools/symbols $< > $@

$(B)/gen/%.S.o: $(B)/gen/%.S
	$(Q)$(CC) -c -o $@ $<

$(B)/paravane-unnamed.elf: $(HV_OBJ) $(B)/gen/symbols-none.S.o hypervisor/boot/hypervisor.lds
	@echo '  $@'
	$(Q)$(HV_LINK) -o $@ $(HV_OBJ) $(B)/gen/symbols-none.S.o

$(B)/paravane.elf: $(HV_OBJ) $(B)/gen/symbols.S.o hypervisor/boot/hypervisor.lds
	@echo '  $@'
	$(Q)$(HV_LINK) -o $@ $(HV_OBJ) $(B)/gen/symbols.S.o

$(B)/paravane: $(B)/paravane.elf
	@echo '  $@'
	$(Q)$(OBJCOPY) -O binary $< $@

# The check image: the same sources; hypervisor/check comes first where headers are looked for, and calls of some functions go through it.
CHECK_WRAP := $(patsubst %,-Wl$(comma)--wrap=%,preempt_point batch_point schedule page_mutex_lock timer_set get_type_slow console_break_lock handle_key)

$(B)/check/hypervisor/%.c.o: hypervisor/%.c Makefile
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CC) -Ihypervisor/check $(HV_CFLAGS) -c -o $@ $<

$(B)/check/hypervisor/%.S.o: hypervisor/%.S $(B)/gen/offsets.h Makefile
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CC) $(HV_CFLAGS) -D__ASSEMBLY__ -c -o $@ $<

CHECK_OBJ += $(LIBDEFLATE_OBJ)
$(B)/check/unnamed.elf: $(CHECK_OBJ) $(B)/gen/symbols-none.S.o hypervisor/boot/hypervisor.lds
	@echo '  $@'
	$(Q)$(HV_LINK) $(CHECK_WRAP) -o $@ $(CHECK_OBJ) $(B)/gen/symbols-none.S.o

$(B)/gen/check-symbols.S: $(B)/check/unnamed.elf tools/symbols
	$(Q)tools/symbols $< > $@

$(B)/check/paravane.elf: $(CHECK_OBJ) $(B)/gen/check-symbols.S.o hypervisor/boot/hypervisor.lds
	@echo '  $@'
	$(Q)$(HV_LINK) $(CHECK_WRAP) -o $@ $(CHECK_OBJ) $(B)/gen/check-symbols.S.o

$(B)/check/paravane: $(B)/check/paravane.elf
	@echo '  $@'
	$(Q)$(OBJCOPY) -O binary $< $@

# --- guests ----------------------------------------------------------------

GUEST_INCLUDE := pvkernel/include
$(B)/guest/hypervisor/%: GUEST_INCLUDE := hypervisor/include

$(B)/guest/%.o: % Makefile
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CC) $(GUEST_CFLAGS) -I$(GUEST_INCLUDE) -c -o $@ $<

GUEST_LINK = $(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 -T pvkernel/pvkernel.lds

$(B)/pvkernel.elf: $(PVK_OBJ) pvkernel/pvkernel.lds
	$(Q)$(GUEST_LINK) -o $@ $(PVK_OBJ)

$(B)/pvcontrol.elf: $(CTL_OBJ) pvkernel/pvkernel.lds
	$(Q)$(GUEST_LINK) -o $@ $(CTL_OBJ)

$(B)/hostile/pvkernel.elf: $(HOSTILE_PVK_OBJ) pvkernel/pvkernel.lds
	@mkdir -p $(@D)
	$(Q)$(GUEST_LINK) -o $@ $(HOSTILE_PVK_OBJ)

$(B)/hostile/pvcontrol.elf: $(HOSTILE_CTL_OBJ) pvkernel/pvkernel.lds
	@mkdir -p $(@D)
	$(Q)$(GUEST_LINK) -o $@ $(HOSTILE_CTL_OBJ)

$(B)/pvkernel $(B)/pvcontrol $(B)/hostile/pvkernel $(B)/hostile/pvcontrol: %: %.elf
	$(Q)$(OBJCOPY) --strip-debug $< $@

$(B)/tests/conformance/%.o: tests/conformance/% Makefile
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CC) $(GUEST_CFLAGS) -Itests/conformance/lib -c -o $@ $<

$(B)/conformance/%: $(B)/tests/conformance/%/main.c.o $(CONF_LIB_OBJ) tests/conformance/lib/image.lds
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 -T tests/conformance/lib/image.lds \
		-o $@ $< $(CONF_LIB_OBJ)

# --- host tests ------------------------------------------------------------

HOST_CFLAGS := -std=gnu11 -g -O1 -Wall -Wextra -Werror -Wno-unused-parameter -Itests/unit/shim -I. -Ihypervisor/include -MMD -MP

# The guest kernel's tests see its headers, and the hypervisor's not at all.
PVK_FUZZ := cpio config xenstore ring packet netback blkback gpt netfront
$(B)/unit/test_pvk_% $(B)/unit/test_ctl_% $(B)/unit/test_ring_% $(B)/unit/test_race_% \
$(PVK_FUZZ:%=$(B)/fuzz/fuzz_%): HOST_CFLAGS := $(subst -Ihypervisor/include,-iquotepvkernel/include,$(HOST_CFLAGS))

# The builder of guests is half the hypervisor's.
$(B)/unit/test_ctl_builder: HOST_CFLAGS += -Ihypervisor/include

# What two threads do to each other is ThreadSanitizer's to judge.
SANITIZE := address,undefined
$(B)/unit/test_race_%: SANITIZE := thread

$(B)/unit/%: tests/unit/%.c Makefile
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CC) $(HOST_CFLAGS) -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -o $@ $< -lcmocka

$(B)/fuzz/%: tests/fuzz/%.c Makefile
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CLANG) $(HOST_CFLAGS) -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -o $@ $<

# --- running it ------------------------------------------------------------

QEMU := qemu-system-x86_64 -accel tcg -cpu max -display none -no-reboot

# The demo: domain 0 with a ramdisk of three pvkernels' configurations, a disk with pages for one, and Debian's own kernel.
DEMO := $(B)/demo
DEMO_FILES := autostart one.cfg two.cfg web.cfg linux.cfg
DEMO_HV_ARGS ?= dom0_mem=256M

$(DEMO)/vmlinuz: tools/fetch-linux
	@mkdir -p $(@D); echo '  $@'
	$(Q)tools/fetch-linux linux-image-cloud-amd64 $@ $(DEMO)/busybox

$(DEMO)/initrd: $(DEMO)/vmlinuz tools/demo/linux_init tools/make-ramdisk
	$(Q)tools/make-ramdisk $@ tools/demo/linux_init=init $(DEMO)/busybox

# A small ext2 of files in a directory; its times and identity are fixed, so that the same files make the same disk.
$(DEMO)/www.img: $(wildcard tools/demo/www/*)
	@mkdir -p $(@D); echo '  $@'
	$(Q)rm -f $@
	$(Q)E2FSPROGS_FAKE_TIME=1767225600 mke2fs -q -F -t ext2 -d tools/demo/www -U clear -E hash_seed=00000000-0000-0000-0000-000000000001,root_owner=0:0 $@ 512k

$(DEMO)/ramdisk: $(DEMO_FILES:%=tools/demo/%) $(B)/pvkernel $(DEMO)/www.img $(DEMO)/vmlinuz $(DEMO)/initrd tools/make-ramdisk
	@echo '  $@'
	$(Q)tools/make-ramdisk $@ $(DEMO_FILES:%=tools/demo/%) $(DEMO)/www.img $(B)/pvkernel=boot/pvkernel $(DEMO)/vmlinuz=boot/vmlinuz $(DEMO)/initrd=boot/initrd

$(DEMO)/paravane.iso: $(B)/paravane $(B)/pvcontrol $(DEMO)/ramdisk tools/make-iso
	$(Q)tools/make-iso $@ $(B)/paravane $(B)/pvcontrol '$(DEMO_HV_ARGS)' '' $(DEMO)/ramdisk

# One guest alone, as domain 0: what GRUB boots is the hypervisor, the kernel, and the arguments of both.
HV_ARGS ?= dom0_mem=128M
GUEST_ARGS ?=

$(B)/paravane.iso: $(B)/paravane $(B)/pvkernel tools/make-iso
	$(Q)tools/make-iso $@ $(B)/paravane $(B)/pvkernel '$(HV_ARGS)' '$(GUEST_ARGS)'

.PHONY: iso run run-guest gdb test
iso: $(B)/paravane.iso	## the bootable image of one guest kernel
# The guest `web` has this address in QEMU's network.
RUN_PORT ?= 8080
run: $(DEMO)/paravane.iso	## boot by GRUB: domain 0 starts guests, one serves http://localhost:8080/ (RUN_PORT=n another; Ctrl-a x leaves)
	$(QEMU) -m 1024 -smp 2 -serial mon:stdio -cdrom $< \
		-netdev user,id=net0,hostfwd=tcp:127.0.0.1:$(RUN_PORT)-10.0.2.50:80 -device virtio-net-pci,netdev=net0

run-guest: $(B)/paravane.iso	## boot by GRUB to the prompt of one guest kernel
	$(QEMU) -m 512 -serial mon:stdio -cdrom $<

gdb: all	## boot stopped, with gdb attached and its macros loaded
	tools/gdb $(B)/paravane.elf $(B)/paravane $(B)/pvkernel

# --- Linux as a guest ---------------------------------------------------------

.PHONY: linux
linux: hypervisor check-hypervisor pvkernel pvcontrol	## Debian's kernels and GRUB as guests, all chapters (15 minutes)
	tests/system/linux_guests --all
	tests/system/linux_guests --all --image check/paravane "4 vCPUs"
	tests/system/linux_root --all

.PHONY: xen-linux
xen-linux: pvkernel	## pvkernel as a guest of real Xen with Debian's Linux as domain 0
	tests/system/xen_linux

# --- all tests -------------------------------------------------------------

test: all check-hypervisor $(UNIT) $(FUZZ) $(B)/paravane.iso $(DEMO)/paravane.iso	## every test; the last line counts them
	tests/suite

.PHONY: crash scale integrity
crash: all check-hypervisor	## a hundred guests that misbehave and die at random, on both images (SEED=n again)
	VICTIMS=100 tests/system/crash

scale: all	## 200 small guests at once, and what each costs
	tests/system/scale

integrity: hypervisor pvkernel pvcontrol	## guests' disks: 10 GiB against a model, backend restarts, power cuts (SEED=n again)
	tests/system/integrity --long

-include tests/conformance/conformance.mk tests/abi/abi.mk tests/bench/bench.mk

# --- housekeeping ----------------------------------------------------------

clean:	## remove what was built
	rm -rf $(B)

help:	## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile tests/*/*.mk | expand -t 20

-include $(shell find $(B) -path $(B)/linux -prune -o -type f -name '*.d' -print 2>/dev/null)

# SPDX-License-Identifier: MIT
# libdeflate inflates gzip images. Debian's source package, fetched into build/ when first needed;
# only the parts that inflate are compiled, in their portable form: defining the include guards of the
# processor-specific headers leaves those out, since the hypervisor uses no vector registers.

LIBDEFLATE := $(B)/third-party/libdeflate
LIBDEFLATE_OBJ := $(patsubst %,$(B)/third-party/libdeflate-%.o,utils crc32 deflate_decompress gzip_decompress)
LIBDEFLATE_CFLAGS := $(filter-out -nostdinc $(WARN) -MMD -MP,$(HV_CFLAGS)) -w -DFREESTANDING \
	-DLIB_X86_DECOMPRESS_IMPL_H -DLIB_X86_CRC32_IMPL_H -I$(LIBDEFLATE)

HV_OBJ += $(LIBDEFLATE_OBJ)

$(LIBDEFLATE)/libdeflate.h:
	tools/fetch-source libdeflate $(abspath $(LIBDEFLATE))
	@touch $@

$(LIBDEFLATE_OBJ): $(B)/third-party/libdeflate-%.o: $(LIBDEFLATE)/libdeflate.h tools/libdeflate.mk
	@echo '  $@'
	$(Q)$(CC) $(LIBDEFLATE_CFLAGS) -c -o $@ $(LIBDEFLATE)/lib/$*.c

$(B)/hypervisor/domain/inflate.c.o: $(LIBDEFLATE)/libdeflate.h
$(B)/hypervisor/domain/inflate.c.o: HV_CFLAGS += -I$(LIBDEFLATE)

# SPDX-License-Identifier: MIT
# What unpacks kernels in domain 0: libdeflate (gzip), liblzma (xz), lz4 and zstd, from Debian's source packages, fetched
# into build/ when first needed. Only what decompresses is compiled, in portable C, and linked into one object that shows
# nothing but the functions named here. The same sources serve the fuzzers, with sanitizers.

THIRD_PARTY := $(B)/third-party
XZ := $(THIRD_PARTY)/xz
LZ4 := $(THIRD_PARTY)/lz4
ZSTD := $(THIRD_PARTY)/zstd

DECOMPRESSORS_SHOWN := libdeflate_alloc_decompressor libdeflate_free_decompressor libdeflate_gzip_decompress \
	lzma_stream_buffer_decode LZ4_decompress_safe ZSTD_createDCtx ZSTD_freeDCtx \
	ZSTD_decompressDCtx ZSTD_isError

DECOMPRESSORS := $(patsubst %,libdeflate/lib/%,utils crc32 deflate_decompress gzip_decompress) \
	$(patsubst %,xz/src/liblzma/common/%,common block_decoder block_header_decoder filter_common filter_decoder filter_flags_decoder index_hash \
	stream_buffer_decoder stream_decoder stream_flags_common stream_flags_decoder vli_decoder vli_size block_util) \
	$(patsubst %,xz/src/liblzma/%,check/check check/crc32_fast check/crc32_table lz/lz_decoder lzma/lzma_decoder \
	lzma/lzma2_decoder simple/simple_coder simple/simple_decoder simple/x86) \
	lz4/lib/lz4 \
	$(patsubst %,zstd/lib/common/%,entropy_common error_private fse_decompress xxhash zstd_common) \
	$(patsubst %,zstd/lib/decompress/%,huf_decompress zstd_ddict zstd_decompress zstd_decompress_block)

# Their headers want a C library's; none of its code is linked. NDEBUG: their assertions are for their authors.
DECOMPRESSORS_CFLAGS := -w -DNDEBUG -ffunction-sections -fdata-sections
THIRD_PARTY_libdeflate := -DLIB_X86_DECOMPRESS_IMPL_H -DLIB_X86_CRC32_IMPL_H -I$(LIBDEFLATE)
THIRD_PARTY_xz := -DHAVE_STDINT_H -DHAVE_INTTYPES_H -DHAVE_STDBOOL_H -DHAVE_STRING_H -DTUKLIB_SYMBOL_PREFIX=lzma_ \
	-DSIZEOF_SIZE_T=8 -DHAVE_DECODERS -DHAVE_DECODER_LZMA2 -DHAVE_DECODER_X86 -DHAVE_CHECK_CRC32 -I$(XZ)/src/common \
	$(patsubst %,-I$(XZ)/src/liblzma/%,api common check lz rangecoder lzma delta simple)
THIRD_PARTY_lz4 := -DLZ4_HEAPMODE=0
THIRD_PARTY_zstd := -DZSTD_DISABLE_ASM=1 -DDYNAMIC_BMI2=0 -DZSTD_NO_INTRINSICS -DZSTD_LEGACY_SUPPORT=0 -DZSTD_TRACE=0 \
	-DXXH_NAMESPACE=ZSTD_

# What unpack.c sees of them.
DECOMPRESSORS_API := -isystem $(LIBDEFLATE) -isystem $(XZ)/src/liblzma/api -isystem $(LZ4)/lib -isystem $(ZSTD)/lib

DECOMPRESSORS_FETCHED := $(LIBDEFLATE)/libdeflate.h $(XZ)/src/liblzma/api/lzma.h $(LZ4)/lib/lz4.h $(ZSTD)/lib/zstd.h

$(XZ)/src/liblzma/api/lzma.h:
	tools/fetch-source xz-utils $(abspath $(XZ))
	@touch $@

$(LZ4)/lib/lz4.h:
	tools/fetch-source lz4 $(abspath $(LZ4))
	@touch $@

$(ZSTD)/lib/zstd.h:
	tools/fetch-source libzstd $(abspath $(ZSTD))
	@touch $@

# apt's lists and the download folder serve one fetch at a time.
$(XZ)/src/liblzma/api/lzma.h: | $(LIBDEFLATE)/libdeflate.h
$(LZ4)/lib/lz4.h: | $(XZ)/src/liblzma/api/lzma.h
$(ZSTD)/lib/zstd.h: | $(LZ4)/lib/lz4.h

$(THIRD_PARTY)/guest/%.o: $(DECOMPRESSORS_FETCHED) tools/decompressors.mk
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CC) $(filter-out -nostdinc -I. $(WARN) -MMD -MP,$(GUEST_CFLAGS)) $(DECOMPRESSORS_CFLAGS) \
		$(THIRD_PARTY_$(firstword $(subst /, ,$*))) -c -o $@ $(THIRD_PARTY)/$*.c

$(THIRD_PARTY)/fuzz/%.o: $(DECOMPRESSORS_FETCHED) tools/decompressors.mk
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CLANG) -g -O1 -fsanitize=fuzzer-no-link,address $(DECOMPRESSORS_CFLAGS) \
		$(THIRD_PARTY_$(firstword $(subst /, ,$*))) -c -o $@ $(THIRD_PARTY)/$*.c

$(THIRD_PARTY)/decompressors.o: $(DECOMPRESSORS:%=$(THIRD_PARTY)/guest/%.o)
	@echo '  $@'
	$(Q)$(LD) -r --gc-sections $(DECOMPRESSORS_SHOWN:%=--undefined=%) -o $@.all $^
	$(Q)$(OBJCOPY) $(DECOMPRESSORS_SHOWN:%=--keep-global-symbol=%) $@.all $@

CTL_OBJ += $(THIRD_PARTY)/decompressors.o

$(B)/guest/pvkernel/control/unpack.c.o: GUEST_CFLAGS := $(filter-out -nostdinc,$(GUEST_CFLAGS)) $(DECOMPRESSORS_API)
$(B)/guest/pvkernel/control/unpack.c.o: $(DECOMPRESSORS_FETCHED)

# Linked below 2 GiB, where code for the kernel's upper 2 GiB runs as well.
$(B)/unit/test_ctl_unpack: HOST_CFLAGS += -Ihypervisor/include $(DECOMPRESSORS_API)
$(B)/unit/test_ctl_unpack: tests/unit/test_ctl_unpack.c $(THIRD_PARTY)/decompressors.o Makefile
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CC) $(HOST_CFLAGS) -no-pie -fsanitize=address,undefined -fno-sanitize-recover=all -o $@ $< $(filter %.o,$^) -lcmocka

$(B)/fuzz/fuzz_image: HOST_CFLAGS += $(DECOMPRESSORS_API)
$(B)/fuzz/fuzz_image: tests/fuzz/fuzz_image.c $(DECOMPRESSORS:%=$(THIRD_PARTY)/fuzz/%.o) Makefile
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CLANG) $(HOST_CFLAGS) -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -o $@ $< $(filter %.o,$^)

# SHA-256, of files and disks and for random numbers, is liblzma's, in both images.
PVK_OBJ += $(THIRD_PARTY)/guest/xz/src/liblzma/check/sha256.o
CTL_OBJ += $(THIRD_PARTY)/guest/xz/src/liblzma/check/sha256.o
$(B)/guest/pvkernel/sha256.c.o: GUEST_CFLAGS := $(filter-out -nostdinc,$(GUEST_CFLAGS)) -iquote pvkernel/include $(subst -I,-isystem ,$(THIRD_PARTY_xz))
$(B)/guest/pvkernel/sha256.c.o: GUEST_INCLUDE := $(THIRD_PARTY)
$(B)/guest/pvkernel/sha256.c.o: $(XZ)/src/liblzma/api/lzma.h

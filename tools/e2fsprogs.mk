# SPDX-License-Identifier: MIT
# libext2fs reads and writes a guest's ext2, ext3 and ext4: Debian's source package e2fsprogs, fetched into build/ when first
# needed. Its generated files are made here by the generators that come with it, without its configure script. All is linked
# into one object that shows nothing but the functions named here; what it needs of C is in pvkernel/libc.c, its way to
# the disk in pvkernel/disk/ext_io.c.

E2FS := $(B)/third-party/e2fsprogs
E2FS_LIB := $(E2FS)/lib/ext2fs
E2FS_GEN := $(E2FS)/generated

E2FS_SHOWN := $(patsubst %,ext2fs_%,open2 close_free flush flush2 read_bitmaps free_mem file_open file_open2 file_read file_write file_llseek \
	file_close file_get_lsize file_set_size2 file_flush namei_follow lookup dir_iterate2 new_inode write_new_inode link unlink \
	expand_dir mkdir read_inode write_inode inode_alloc_stats2 punch check_directory extent_open2 extent_free blocks_count \
	free_blocks_count inode_has_valid_blocks2 inode_size_set)

# Not: what asks an operating system for devices, mounts and block sizes, and what makes filesystems.
E2FS_SOURCES := alloc alloc_sb alloc_stats alloc_tables badblocks bb_inode bitmaps bitops blkmap64_ba blkmap64_rb blknum block bmap \
	check_desc closefs crc16 crc32c csum dblist dblist_dir digest_encode dir_iterate dirblock dirhash expanddir ext_attr extent fallocate \
	fileio freefs gen_bitmap gen_bitmap64 get_num_dirs get_pathname hashmap i_block ind_block inline inline_data inode io_manager \
	link lookup mkdir mkjournal mmp namei newdir nls_utf8 openfs orphan punch rbtree read_bb res_gdt rw_bitmaps sha256 sha512 \
	swapfs symlink unlink valid_blk

# Where it looks for headers; the C library's are used, none of its code is.
E2FS_API := -isystem $(E2FS_GEN) -isystem $(E2FS)/lib
E2FS_CONFIG := -D_GNU_SOURCE $(patsubst %,-DHAVE_%_H,ERRNO INTTYPES STDINT STDLIB STRING SYS_STAT SYS_SYSMACROS SYS_TIME SYS_TYPES UNISTD) \
	-DSIZEOF_INT=4 -DSIZEOF_LONG=8 -DSIZEOF_LONG_LONG=8 -DSIZEOF_OFF_T=8 -DSIZEOF_TIME_T=8
E2FS_CFLAGS := -w -ffunction-sections -fdata-sections $(E2FS_CONFIG) -I$(E2FS_GEN) -I$(E2FS_GEN)/ext2fs -I$(E2FS)/lib -I$(E2FS_LIB)

$(E2FS_LIB)/ext2fs.h: | $(LWIP)/src/include/lwip/init.h
	tools/fetch-source e2fsprogs $(abspath $(E2FS))
	@touch $@

$(E2FS_GEN)/done: $(E2FS_LIB)/ext2fs.h tools/e2fsprogs.mk
	@mkdir -p $(E2FS_GEN)/ext2fs
	$(Q)sed 's/@E2FSPROGS_VERSION@//' $(E2FS_LIB)/ext2_err.et.in > $(E2FS_GEN)/ext2_err.et
	$(Q)awk -f $(E2FS)/lib/et/et_h.awk outfile=$(E2FS_GEN)/ext2fs/ext2_err.h outfn=ext2_err.h $(E2FS_GEN)/ext2_err.et
	$(Q)sed -e 's,@ASM_TYPES_HEADER@,#include <linux/types.h>,' -e '/@PUBLIC_CONFIG_HEADER@/d' -e 's/@SIZEOF_SHORT@/2/' \
		-e 's/@SIZEOF_INT@/4/' -e 's/@SIZEOF_LONG@/8/' -e 's/@SIZEOF_LONG_LONG@/8/' $(E2FS_LIB)/ext2_types.h.in > $(E2FS_GEN)/ext2fs/ext2_types.h
	$(Q)touch $(E2FS_GEN)/config.h
	$(Q)$(CC) -w -I$(E2FS_GEN) -o $(E2FS_GEN)/gen_crc32ctable $(E2FS_LIB)/gen_crc32ctable.c
	$(Q)$(E2FS_GEN)/gen_crc32ctable > $(E2FS_GEN)/crc32c_table.h
	$(Q)touch $@

$(E2FS)/guest/%.o: $(E2FS_GEN)/done
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CC) $(filter-out -nostdinc -I. $(WARN) -MMD -MP,$(GUEST_CFLAGS)) $(E2FS_CFLAGS) -c -o $@ $(E2FS_LIB)/$*.c

# The host's tests link the same sources.
$(E2FS)/host/%.o: $(E2FS_GEN)/done
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CC) -g -O1 -fsanitize=address $(E2FS_CFLAGS) -c -o $@ $(E2FS_LIB)/$*.c

$(THIRD_PARTY)/libext2fs.o: $(E2FS_SOURCES:%=$(E2FS)/guest/%.o)
	@echo '  $@'
	$(Q)$(LD) -r --gc-sections $(E2FS_SHOWN:%=--undefined=%) -o $@.all $^
	$(Q)$(OBJCOPY) $(E2FS_SHOWN:%=--keep-global-symbol=%) $@.all $@


PVK_OBJ += $(THIRD_PARTY)/libext2fs.o

# The kernel's own headers by their quotes only: some have the names of C's.
$(B)/guest/pvkernel/disk/ext%.o: GUEST_CFLAGS := $(filter-out -nostdinc,$(GUEST_CFLAGS)) -D_GNU_SOURCE -iquote pvkernel/include $(E2FS_API)
$(B)/guest/pvkernel/disk/ext%.o: GUEST_INCLUDE := $(E2FS_GEN)
$(filter $(B)/guest/pvkernel/disk/ext%,$(PVK_OBJ)): $(E2FS_GEN)/done

$(B)/unit/test_pvk_ext_fs: tests/unit/test_pvk_ext_fs.c $(E2FS_SOURCES:%=$(E2FS)/host/%.o) Makefile
	@mkdir -p $(@D); echo '  $@'
	$(Q)$(CC) $(HOST_CFLAGS) -Wno-unused-function -D_GNU_SOURCE $(E2FS_API) -fsanitize=address -Wl,--gc-sections -o $@ $< $(filter %.o,$^) -lcmocka

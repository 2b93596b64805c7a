/* SPDX-License-Identifier: MIT */
/* set_segment_base and the MSRs that do the same. (user_mode/ shows how the GS bases change places.) */
#include "guest.h"

#define FS_BASE 0xc0000100
#define GS_BASE 0xc0000101
#define KERNEL_GS_BASE 0xc0000102
#define DATA_AT_78900 0x0040f20789000fffUL

static uint64_t read_msr(uint64_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static uint64_t write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
	return 0;
}

static uint64_t fs_word(uint64_t unused)
{
	uint64_t value;

	__asm__ volatile("mov %%fs:0, %0" : "=r"(value));
	return value;
}

static uint64_t gs_word(uint64_t unused)
{
	uint64_t value;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
	return value;
}

static int64_t set(unsigned int which, const void *base)
{
	return hypercall(set_segment_base, which, base);
}

static bool refuses_noncanonical(void)
{
	const void *bad = (void *)NON_CANONICAL;

	return set(SEGBASE_FS, bad) == -EINVAL && set(SEGBASE_GS_KERNEL, bad) == -EINVAL &&
	       set(SEGBASE_GS_USER, bad) == -EINVAL;
}

/* A page of descriptors that the CPU has not looked at: its second one has a base. */
static bool loads_from_ldt(void)
{
	uint64_t *page = page_alloc();
	bool loaded;

	page[1] = DATA_AT_78900;
	make_readonly(page);
	mmuext(MMUEXT_SET_LDT, (uint64_t)page, 16);
	set(SEGBASE_GS_USER_SEL, (void *)15);
	loaded = read_msr(KERNEL_GS_BASE) == 0x78900;
	set(SEGBASE_GS_USER_SEL, NULL);
	mmuext(MMUEXT_SET_LDT, 0, 0);
	return loaded;
}

void test_main(void)
{
	static uint64_t a = 0x1111, b = 0x2222;

	check("ENTRY-26",
	      read_msr(FS_BASE) == 0 && read_msr(GS_BASE) == 0 && read_msr(KERNEL_GS_BASE) == 0,
	      "all bases are 0 at the start");
	check("SEG-7", set(SEGBASE_FS, &a) == 0 && fs_word(0) == 0x1111, "SEGBASE_FS");
	check_eq("SEG-13", run_user(fs_word, 0).value, 0x1111, "FS is the same in user mode");
	set(SEGBASE_GS_KERNEL, &b);
	set(SEGBASE_GS_USER, &a);
	check("SEG-12",
	      read_msr(FS_BASE) == (uint64_t)&a && read_msr(GS_BASE) == (uint64_t)&b &&
		      read_msr(KERNEL_GS_BASE) == (uint64_t)&a,
	      "RDMSR gives what was set");
	check("SEG-8", refuses_noncanonical() && fs_word(0) == 0x1111 && gs_word(0) == 0x2222,
	      "bases that are not canonical");
	write_msr(FS_BASE, (uint64_t)&b);
	write_msr(GS_BASE, (uint64_t)&a);
	write_msr(KERNEL_GS_BASE, (uint64_t)&b);
	check("SEG-11",
	      fs_word(0) == 0x2222 && gs_word(0) == 0x1111 && run_user(gs_word, 0).value == 0x2222,
	      "WRMSR does the same");
	check("SEG-9",
	      hypercall(set_segment_base, 4, &a) == -EINVAL &&
		      hypercall(set_segment_base, 99, &a) == -EINVAL,
	      "numbers above 3");
	check_eq("SEG-10", hypercall(set_segment_base, SEGBASE_GS_USER_SEL, 0xfff8), 0,
		 "a selector that cannot be loaded is no error");
	check("SEG-14", loads_from_ldt(), "SEGBASE_GS_USER_SEL takes the base from an LDT page not used yet");
}

/* SPDX-License-Identifier: MIT */
/* physdev_op: arguments and errors. What IOPL and the port bitmap do is judged in iopl/. */
#include "guest.h"
#include <abi/physdev.h>

static int64_t set_iopl(uint32_t iopl)
{
	struct physdev_set_iopl op = { .iopl = iopl };

	return hypercall(physdev_op, PHYSDEVOP_set_iopl, &op);
}

static int64_t set_iobitmap(uint64_t bitmap, uint32_t ports)
{
	struct physdev_set_iobitmap op = { .bitmap = bitmap, .nr_ports = ports };

	return hypercall(physdev_op, PHYSDEVOP_set_iobitmap, &op);
}

INSTRUCTION(in_80, "mov $0x80, %%edx; in %%dx, %%al")

void test_main(void)
{
	static uint8_t bitmap[8192];
	struct physdev_eoi eoi = { .irq = 0x7fffffff };
	struct physdev_irq_status_query query = { .irq = 0x7fffffff };
	struct physdev_pirq_eoi_gmfn gmfn = { .gmfn = mfn_of(page_alloc()) };
	bool all = true;

	for (uint32_t iopl = 0; iopl <= 3; iopl++)
		all = all && set_iopl(iopl) == 0;
	check("PHYSDEV-1", all, "IOPL 0 to 3");
	check("PHYSDEV-2", set_iopl(4) == -EINVAL && attempt(in_80, 0).vector == NO_TRAP,
	      "IOPL 4 is refused, and 3 stays");
	set_iopl(0);
	check_eq("PHYSDEV-3", set_iobitmap((uint64_t)bitmap, 0), 0, "a bitmap of no ports");
	check("PHYSDEV-4",
	      set_iobitmap((uint64_t)bitmap, 65536) == 0 &&
		      set_iobitmap((uint64_t)bitmap, 65537) == -EINVAL,
	      "65536 ports at most");
	check_eq("PHYSDEV-10", set_iobitmap(MACH2PHYS_VIRT_START, 8), -EINVAL,
		 "a bitmap in the hypervisor's range");
	gmfn.gmfn = boot_l4_mfn();
	check_eq("PHYSDEV-12", hypercall(physdev_op, PHYSDEVOP_pirq_eoi_gmfn_v2, &gmfn), -EINVAL,
		 "a page table as the page for pirqs");
	gmfn.gmfn = mfn_of(page_alloc());
	check("PHYSDEV-11",
	      hypercall(physdev_op, PHYSDEVOP_pirq_eoi_gmfn_v2, &gmfn) == 0 &&
		      hypercall(physdev_op, PHYSDEVOP_pirq_eoi_gmfn_v2, &gmfn) == -EBUSY,
	      "a page for pirqs, but one");
	check("PHYSDEV-9",
	      attempt(in_80, 0).vector == NO_TRAP && set_iobitmap(0, 0) == 0 &&
		      attempt(in_80, 0).vector == VECTOR_GP,
	      "the bitmap is taken away");
	check_eq("PHYSDEV-5", hypercall(physdev_op, PHYSDEVOP_eoi, &eoi), -EINVAL,
		 "eoi of a pirq out of range");
	check_eq("PHYSDEV-6", hypercall(physdev_op, PHYSDEVOP_irq_status_query, &query), -EINVAL,
		 "status of a pirq out of range");
	check_eq("PHYSDEV-7", hypercall(physdev_op, 99, &query), -ENOSYS, "an unknown sub-operation");
	check_eq("PHYSDEV-8", hypercall(physdev_op, PHYSDEVOP_set_iopl, UNMAPPED), -EFAULT,
		 "an unmapped structure");
}

/* SPDX-License-Identifier: MIT */
/* physdev_op: the privilege to touch ports. No domain has physical interrupts yet, so every pirq named is a wrong one. */
#include <abi/physdev.h>
#include <domain.h>
#include <frames.h>
#include <hypercall.h>
#include <uaccess.h>

#define MAX_IOPL 3
#define MAX_PORTS 65536

static long set_iopl(struct vcpu *v, u64 argument)
{
	struct physdev_set_iopl op;

	if (copy_from_guest(&op, argument, sizeof(op)))
		return -EFAULT;
	if (op.iopl > MAX_IOPL)
		return -EINVAL;
	v->iopl = op.iopl;
	return 0;
}

/* The bitmap stays where it is and is looked at when a port is touched. */
static long set_iobitmap(struct vcpu *v, u64 argument)
{
	struct physdev_set_iobitmap op;

	if (copy_from_guest(&op, argument, sizeof(op)))
		return -EFAULT;
	if (op.nr_ports > MAX_PORTS || !guest_range_ok(op.bitmap, (op.nr_ports + 7) / 8))
		return -EINVAL;
	v->io_bitmap = op.bitmap;
	v->io_bitmap_ports = op.bitmap ? op.nr_ports : 0;
	return 0;
}

/* A page in which a bit is set for each pirq that needs eoi: it is held, and nothing is ever set in it. */
static long set_eoi_page(struct domain *d, u64 argument)
{
	struct physdev_pirq_eoi_gmfn op;

	if (copy_from_guest(&op, argument, sizeof(op)))
		return -EFAULT;
	if (d->pirq_eoi_mfn)
		return -EBUSY;
	if (get_frame_type(op.gmfn, d->id, FRAME_WRITABLE))
		return -EINVAL;
	d->pirq_eoi_mfn = op.gmfn;
	return 0;
}

static long no_such_pirq(u64 argument, size_t size)
{
	u8 op[sizeof(struct physdev_irq_status_query)];

	return copy_from_guest(op, argument, size) ? -EFAULT : -EINVAL;
}

long do_physdev_op(u64 command, u64 argument, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	switch ((u32)command) {
	case PHYSDEVOP_set_iopl:
		return set_iopl(v, argument);
	case PHYSDEVOP_set_iobitmap:
		return set_iobitmap(v, argument);
	case PHYSDEVOP_pirq_eoi_gmfn_v1: case PHYSDEVOP_pirq_eoi_gmfn_v2:
		return set_eoi_page(v->domain, argument);
	case PHYSDEVOP_eoi:
		return no_such_pirq(argument, sizeof(struct physdev_eoi));
	case PHYSDEVOP_irq_status_query:
		return no_such_pirq(argument, sizeof(struct physdev_irq_status_query));
	default:
		return -ENOSYS;
	}
}

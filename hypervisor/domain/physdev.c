/* SPDX-License-Identifier: MIT */
/*
 * physdev_op: the privilege to touch ports, and domain 0's way to the machine's interrupts (ipc/pirq.c). Each operation copies its
 * structure in, checks who asks and what for, and acts.
 */
#include <abi/physdev.h>
#include <abi/xen.h>
#include <domain.h>
#include <frames.h>
#include <hypercall.h>
#include <irq.h>
#include <msi.h>
#include <pci.h>
#include <pirq.h>
#include <uaccess.h>

#define MAX_IOPL 3
#define MAX_PORTS 65536

/* --- ports: any domain -------------------------------------------------------------------------------------------- */

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

/* --- interrupts: any domain, but only domain 0 has some -------------------------------------------------------------- */

/* A page in which a bit is set for each pirq that needs eoi. Other domains' is held, and nothing is ever set in it. */
static long set_eoi_page(struct domain *d, u64 argument, bool unmasks)
{
	struct physdev_pirq_eoi_gmfn op;
	u64 none = 0;

	if (copy_from_guest(&op, argument, sizeof(op)))
		return -EFAULT;
	if (READ_ONCE(d->pirq_eoi_mfn))
		return -EBUSY;
	if (get_frame_type(op.gmfn, d->id, FRAME_WRITABLE))
		return -EINVAL;
	if (!cas64(&d->pirq_eoi_mfn, &none, op.gmfn)) {
		put_frame_type(op.gmfn);
		return -EBUSY;
	}
	if (d->privileged)
		pirq_set_eoi_page(mfn_to_virt(op.gmfn), unmasks);
	return 0;
}

static long eoi(struct domain *d, u64 argument)
{
	struct physdev_eoi op;

	if (copy_from_guest(&op, argument, sizeof(op)))
		return -EFAULT;
	return d->privileged ? pirq_eoi(op.irq) : -EINVAL;
}

/* Without the page nobody can know better than to say that it is needed. */
static long irq_status_query(u64 argument)
{
	struct physdev_irq_status_query op;

	if (copy_from_guest(&op, argument, sizeof(op)))
		return -EFAULT;
	if (op.irq >= NR_PIRQS)
		return -EINVAL;
	op.flags = XENIRQSTAT_needs_eoi;
	return copy_to_guest(argument, &op, sizeof(op)) ? -EFAULT : 0;
}

/* --- interrupts: domain 0, whose structure was copied in ------------------------------------------------------------ */

static u16 function_of(u8 bus, u8 devfn)
{
	return bus << 8 | devfn;
}

/* Functions that domain 0 told of: only they get messages. */
static u64 known[65536 / 64];

static bool is_known(u16 function)
{
	return READ_ONCE(known[function / 64]) >> function % 64 & 1;
}

static void set_known(u16 function, bool is)
{
	u64 bit = 1ull << function % 64;

	if (is)
		__atomic_or_fetch(&known[function / 64], bit, __ATOMIC_SEQ_CST);
	else
		__atomic_and_fetch(&known[function / 64], ~bit, __ATOMIC_SEQ_CST);
}

/* Several MSI messages of one function would need numbers that follow each other on one CPU; they are refused. */
static int map_message(const struct physdev_map_pirq *op)
{
	u16 function = function_of(op->bus, op->devfn);

	if (op->type == MAP_PIRQ_TYPE_MULTI_MSI && op->table_base)
		return -EINVAL;
	if (op->type == MAP_PIRQ_TYPE_MULTI_MSI && op->entry_nr != 1)
		return op->entry_nr > 1 && op->entry_nr <= 32 ? -EOPNOTSUPP : -EINVAL;
	if ((op->type != MAP_PIRQ_TYPE_MSI && (u32)op->bus >> 16) || !is_known(function))
		return -ENODEV;
	return pirq_map_message(function, op->table_base, op->entry_nr, op->pirq);
}

static long map_pirq(struct domain *d, void *structure)
{
	struct physdev_map_pirq *op = structure;
	int result = -EINVAL;

	if (op->domid != DOMID_SELF && op->domid != d->id)
		return domain_find(op->domid) ? -EPERM : -ESRCH;
	if (op->type == MAP_PIRQ_TYPE_GSI)
		result = pirq_map_line(op->index, op->pirq);
	else if (op->type == MAP_PIRQ_TYPE_MSI || op->type == MAP_PIRQ_TYPE_MSI_SEG || op->type == MAP_PIRQ_TYPE_MULTI_MSI)
		result = map_message(op);
	if (result < 0)
		return result;
	op->pirq = result;
	return 0;
}

static long unmap_pirq(struct domain *d, void *structure)
{
	const struct physdev_unmap_pirq *op = structure;

	if (op->domid != DOMID_SELF && op->domid != d->id)
		return domain_find(op->domid) ? -EPERM : -ESRCH;
	return pirq_unmap(op->pirq);
}

static long setup_gsi(struct domain *d, void *structure)
{
	const struct physdev_setup_gsi *op = structure;

	return pirq_setup_line(op->gsi, op->triggering, op->polarity);
}

static long get_free_pirq(struct domain *d, void *structure)
{
	struct physdev_get_free_pirq *op = structure;
	int n = pirq_reserve(op->type == MAP_PIRQ_TYPE_GSI);

	if (n < 0)
		return n;
	op->pirq = n;
	return 0;
}

static long apic_read(struct domain *d, void *structure)
{
	struct physdev_apic *op = structure;
	bool found;

	spin_lock(&pirq_lock);
	found = ioapic_read(op->apic_physbase, op->reg, &op->value);
	spin_unlock(&pirq_lock);
	return found ? 0 : -EINVAL;
}

/* Vectors are the hypervisor's own affair; the call is there for those who ask. */
static long alloc_irq_vector(struct domain *d, void *structure)
{
	struct physdev_irq *op = structure;

	op->vector = op->irq;
	return 0;
}

/* --- functions of PCI: domain 0 ---------------------------------------------------------------------------------------- */

enum { ADD, REMOVE, RESTORE, PREPARE, RELEASE };

static long for_function(u16 segment, u8 bus, u8 devfn, int what)
{
	u16 function = function_of(bus, devfn);
	long result = 0;

	if (segment)
		return -ENODEV;
	if (what == ADD)
		set_known(function, true);
	if (!is_known(function))
		return -ENODEV;
	if (what == REMOVE) {
		set_known(function, false);
		pirq_unmap_function(function);
	} else if (what == RESTORE) {
		pirq_restore_function(function);
	}
	if (what == PREPARE || what == RELEASE) {
		spin_lock(&pirq_lock);
		result = what == PREPARE ? msix_prepare(function) : msix_unprepare(function);
		spin_unlock(&pirq_lock);
	}
	return result;
}

#define FOR_DEVICE(name, what)						\
	static long name(struct domain *d, void *structure)		\
	{								\
		const struct physdev_pci_device *op = structure;	\
									\
		return for_function(op->seg, op->bus, op->devfn, what);	\
	}
FOR_DEVICE(pci_device_add, ADD)
FOR_DEVICE(pci_device_remove, REMOVE)
FOR_DEVICE(restore_msi_ext, RESTORE)
FOR_DEVICE(prepare_msix, PREPARE)
FOR_DEVICE(release_msix, RELEASE)

#define FOR_FUNCTION(name, what)					\
	static long name(struct domain *d, void *structure)		\
	{								\
		const struct physdev_manage_pci *op = structure;	\
									\
		return for_function(0, op->bus, op->devfn, what);	\
	}
FOR_FUNCTION(manage_pci_add, ADD)
FOR_FUNCTION(manage_pci_remove, REMOVE)
FOR_FUNCTION(restore_msi, RESTORE)

/* --- dispatch --------------------------------------------------------------------------------------------------------- */

static const struct operation {
	u8 command, size;
	bool answers;		/* the structure is copied out after success */
	long (*act)(struct domain *d, void *structure);
} operations[] = {
	{ PHYSDEVOP_map_pirq, sizeof(struct physdev_map_pirq), true, map_pirq },
	{ PHYSDEVOP_unmap_pirq, sizeof(struct physdev_unmap_pirq), false, unmap_pirq },
	{ PHYSDEVOP_setup_gsi, sizeof(struct physdev_setup_gsi), false, setup_gsi },
	{ PHYSDEVOP_get_free_pirq, sizeof(struct physdev_get_free_pirq), true, get_free_pirq },
	{ PHYSDEVOP_apic_read, sizeof(struct physdev_apic), true, apic_read },
	{ PHYSDEVOP_alloc_irq_vector, sizeof(struct physdev_irq), true, alloc_irq_vector },
	{ PHYSDEVOP_pci_device_add, sizeof(struct physdev_pci_device_add), false, pci_device_add },
	{ PHYSDEVOP_pci_device_remove, sizeof(struct physdev_pci_device), false, pci_device_remove },
	{ PHYSDEVOP_restore_msi_ext, sizeof(struct physdev_pci_device), false, restore_msi_ext },
	{ PHYSDEVOP_prepare_msix, sizeof(struct physdev_pci_device), false, prepare_msix },
	{ PHYSDEVOP_release_msix, sizeof(struct physdev_pci_device), false, release_msix },
	{ PHYSDEVOP_manage_pci_add, sizeof(struct physdev_manage_pci), false, manage_pci_add },
	{ PHYSDEVOP_manage_pci_remove, sizeof(struct physdev_manage_pci), false, manage_pci_remove },
	{ PHYSDEVOP_restore_msi, sizeof(struct physdev_restore_msi), false, restore_msi },
	{ PHYSDEVOP_manage_pci_add_ext, sizeof(struct physdev_manage_pci_ext), false, manage_pci_add },
};

static long for_domain_0(struct domain *d, const struct operation *o, u64 argument)
{
	u64 structure[sizeof(struct physdev_map_pirq) / 8];
	long result;

	if (copy_from_guest(structure, argument, o->size))
		return -EFAULT;
	if (!d->privileged)
		return -EPERM;
	result = o->act(d, structure);
	if (!result && o->answers && copy_to_guest(argument, structure, o->size))
		return -EFAULT;
	return result;
}

long do_physdev_op(u64 command, u64 argument, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	switch ((u32)command) {
	case PHYSDEVOP_set_iopl:
		return set_iopl(v, argument);
	case PHYSDEVOP_set_iobitmap:
		return set_iobitmap(v, argument);
	case PHYSDEVOP_pirq_eoi_gmfn_v1: case PHYSDEVOP_pirq_eoi_gmfn_v2:
		return set_eoi_page(v->domain, argument, (u32)command == PHYSDEVOP_pirq_eoi_gmfn_v1);
	case PHYSDEVOP_eoi:
		return eoi(v->domain, argument);
	case PHYSDEVOP_irq_status_query:
		return irq_status_query(argument);
	}
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		if (operations[i].command == (u32)command)
			return for_domain_0(v->domain, &operations[i], argument);
	return -ENOSYS;
}

/* SPDX-License-Identifier: MIT */
/* A device's interrupt goes to the vCPU that its port names, and from one CPU to the other with it. */
#include "pci.h"
#include "vcpus.h"

#define E1000E (6 << 3)
#define MS 1000000UL
#define ROUNDS 200

enum { CAPABILITY_MSIX = 0x11, MSIX_ENABLE = 1 << 15, MSIX_MASK_ALL = 1 << 14 };
enum { E1000E_CAUSES = 0xc0 / 4, E1000E_RAISE = 0xc8 / 4, E1000E_ENABLE = 0xd0 / 4, E1000E_VECTORS = 0xe4 / 4 };

static volatile uint32_t *e1000e;

static void e1000e_raise(void)
{
	enum { OTHER = 1 << 24, LINK = 1 << 2 };

	e1000e[E1000E_CAUSES] = ~0U;
	e1000e[E1000E_ENABLE] = OTHER | LINK;
	e1000e[E1000E_RAISE] = OTHER | LINK;
}

static uint64_t unmask(uint64_t self)
{
	*(volatile uint8_t *)&test_vcpu[self].info->evtchn_upcall_mask = 0;
	return (uint64_t)hypercall(xen_version, 0, 0);
}

static int64_t bind_vcpu(uint32_t port, uint32_t vcpu)
{
	struct evtchn_bind_vcpu op = { .port = port, .vcpu = vcpu };

	return hypercall(event_channel_op, EVTCHNOP_bind_vcpu, &op);
}

static bool came_to_first(uint32_t port)
{
	uint64_t until = system_time() + 1000 * MS;
	unsigned int before = event_count[port];

	mask_upcalls(false);
	while (*(volatile unsigned int *)&event_count[port] == before && system_time() < until)
		relax();
	mask_upcalls(true);
	return event_count[port] == before + 1;
}

/* The port wanders while the device signals: each signal is an event on one of the two. */
static unsigned int wandering(uint32_t port)
{
	unsigned int came = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		unsigned int before = test_vcpu[1].port_count[port];

		bind_vcpu(port, i & 1);
		e1000e_raise();
		came += i & 1 ? wait_port(1, port, before + 1) : came_to_first(port);
	}
	return came;
}

void test_main(void)
{
	struct { struct physdev_pci_device device; uint32_t zero[2]; } device = { .device = { .devfn = E1000E } };
	struct physdev_set_iopl iopl = { .iopl = 1 };
	uint8_t at;
	uint64_t bar;
	int64_t pirq, port;

	hypercall(physdev_op, PHYSDEVOP_set_iopl, &iopl);
	hypercall(physdev_op, PHYSDEVOP_pci_device_add, &device);
	pci_write(E1000E, 4, pci_read(E1000E, 4) | 6);
	e1000e = page_alloc();
	map_device_page((void *)e1000e, pci_bar(E1000E, 0));
	at = pci_find_capability(E1000E, CAPABILITY_MSIX);
	bar = pci_bar(E1000E, pci_read(E1000E, at + 4) & 7);
	vcpu_start(1);

	pirq = map_pirq(MAP_PIRQ_TYPE_MSI, -1, -1, E1000E, 0, bar);
	port = bind_pirq(pirq);
	if (port < 0)
		bail("no interrupt: pirq %ld, port %ld", pirq, port);
	pci_write16(E1000E, at + 2, (pci_read(E1000E, at) >> 16 & ~MSIX_MASK_ALL) | MSIX_ENABLE);
	e1000e[E1000E_VECTORS] = 8 << 16;
	e1000e_raise();
	check("PIRQ-VCPU-1", came_to_first(port), "an interrupt comes to vCPU 0");
	vcpu_run(1, unmask, 1);
	check_eq("PIRQ-VCPU-2", bind_vcpu(port, 1), 0, "bind_vcpu to another");
	e1000e_raise();
	check("PIRQ-VCPU-3", wait_port(1, port, 1), "then it comes there");
	check_eq("PIRQ-VCPU-4", wandering(port), ROUNDS, "each of many comes where the port is bound");
	check("PIRQ-VCPU-5", evtchn_close(port) == 0 && unmap_pirq(pirq) == 0, "closed and unmapped");
}

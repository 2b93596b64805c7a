/* SPDX-License-Identifier: MIT */
/* Interrupts of the machine: vectors, local APIC, I/O APIC. All are taken with interrupts off. */
#ifndef PARAVANE_IRQ_H
#define PARAVANE_IRQ_H

#include <types.h>
#include <vcpu.h>

#define VECTOR_DEVICE_FIRST 0x30	/* for devices (ipc/pirq.c); 0x80 is int 0x80's */
#define VECTOR_DEVICE_LAST 0xef
#define VECTOR_CONSOLE 0xf0
#define VECTOR_KICK 0xf8	/* look at the running vCPU's work */
#define VECTOR_TIMER 0xf9
#define VECTOR_FLUSH 0xfa	/* flush the TLB if flush_request says so */
#define VECTOR_NMI_CAME 0xfb	/* an NMI asks to be handled where interrupts are */
#define VECTOR_APIC_ERROR 0xfe
#define VECTOR_SPURIOUS 0xff

/* Every hardware interrupt; v is the vCPU that it came upon. Acknowledges it. */
void handle_irq(struct vcpu *v, int vector);

void handle_nmi(void);		/* cpu/traps.c */

/* --- cpu/apic.c --- */
void apic_init(void);		/* once, on the first CPU */
void apic_init_cpu(void);	/* on each CPU */
void apic_send_ipi(u32 apic_id, int vector);
void apic_send_self(int vector);	/* from an NMI too */
void apic_send_init(u32 apic_id);
void apic_send_startup(u32 apic_id, int page);
void apic_send_nmi_to_others(void);	/* for a panic: they stop (trap_nmi()) */
void apic_acknowledge(void);	/* the interrupt that came */
void apic_stop_others(void);	/* INIT to all others, for the machine's end */
void apic_timer_start(u32 ticks);	/* one-shot; 0: stop */
u32 apic_timer_left(void);

/* --- cpu/ioapic.c --- */
void mask_8259s(void);
void ioapic_init(void);
void ioapic_route_isa(int irq, int vector, u32 apic_id);	/* at boot, for the hypervisor itself */
u32 ioapic_gsis(void);		/* one past the highest GSI */
/* Under pirq_lock; all but the first for a GSI that is there. */
bool ioapic_has(u32 gsi);
bool ioapic_in_use(u32 gsi);	/* it has a route */
void ioapic_default_trigger(u32 gsi, bool *level, bool *low);
void ioapic_route(u32 gsi, int vector, u32 apic_id, bool level, bool low);	/* and masks it */
void ioapic_retarget(u32 gsi, u32 apic_id);	/* another CPU, all else as it is */
void ioapic_mask(u32 gsi, bool masked);
void ioapic_free(u32 gsi);	/* no route any more */
bool ioapic_read(maddr_t base, u32 reg, u32 *value);	/* of the I/O APIC at this address; false: none is there */

/* --- cpu/time.c --- */
void time_init(void);
void wait_us(u32 us);
extern u64 tsc_base;	/* TSC at system time 0: the same on all CPUs */

/* --- cpu/smp.c --- */
void smp_boot(void);
void handle_flush_request(void);

/* --- cpu/features.c --- */
void features_init(void);	/* on the first CPU: find out, choose CR4 */
void features_init_cpu(void);	/* on each CPU: set CR0, CR4, EFER, XCR0 */

#endif

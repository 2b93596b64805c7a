/* SPDX-License-Identifier: MIT */
/* The machine without a hypervisor: descriptor tables, interrupt controllers, PIT, UART, RTC, power. */
#ifndef PVK_NATIVE_H
#define PVK_NATIVE_H

#include "types.h"

#define IRQ_PIT 0
#define IRQ_COM1 4

void native_traps_init(void);
void native_set_kernel_sp(u64 sp);
void native_irq_handler(unsigned int irq, void (*fn)(void *), void *arg);
void native_irq(unsigned int irq);

void uart_init(void);
void uart_write(const char *text, size_t len);
size_t uart_read(char *buf, size_t size);
void uart_enable_irq(void);

void native_time_init(void);
u64 native_now(void);			/* ns since native_time_init() */
void native_set_timer(u64 deadline);
u64 rtc_seconds(void);			/* since 1970 */

void native_stop(unsigned int how);
void acpi_power_off(void);		/* returns only if it did not work */

#endif

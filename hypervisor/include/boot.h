/* SPDX-License-Identifier: MIT */
/* What the boot loader, the firmware and the command line said, kept for the others. */
#ifndef PARAVANE_BOOT_H
#define PARAVANE_BOOT_H

#include <types.h>

/* --- boot/multiboot.c ------------------------------------------------------------------------------- */

#define MAX_BOOT_MODULES 4
#define MAX_CMDLINE 1024

/* A file that the loader put into memory, page aligned; its frames belong to nobody until
 * boot_module_release(). The command line is without the file's name. */
struct boot_module {
	maddr_t start, end;
	const char *cmdline;
};

extern struct boot_module boot_modules[MAX_BOOT_MODULES];
extern int boot_module_count;
extern char boot_cmdline[MAX_CMDLINE];

/* Firmware's memory map as it came, in the ABI's e820 form; type 1 is RAM. */
struct memory_region {
	u64 start, size;
	u32 type;
} __attribute__((packed));

#define MAX_MEMORY_REGIONS 64
extern struct memory_region machine_map[MAX_MEMORY_REGIONS];
extern int machine_map_count;

void multiboot_parse(u32 magic, maddr_t info);
void boot_module_release(int index);	/* its whole frames go to the allocator */

/* --- boot/cmdline.c ----------------------------------------------------------------------------------- */

struct options {
	u64 dom0_mem;		/* bytes; 0: all that is free */
	u64 dom0_max_vcpus;	/* 0: as many as there are CPUs */
	u64 dom0_vcpus_pin;	/* vCPU n stays on CPU n */
	u64 maxcpus;
	u64 smap;		/* 0: not used */
	u64 console;		/* 0: none; 1: COM1 */
};
extern struct options options;

void cmdline_parse(char *cmdline);

/* --- boot/acpi.c -------------------------------------------------------------------------------------- */

#define MAX_IOAPICS 4

struct acpi_info {
	int cpu_count;
	u32 cpu_apic_id[256];
	maddr_t lapic;
	int ioapic_count;
	struct { maddr_t address; u32 gsi_base; } ioapic[MAX_IOAPICS];
	struct { u32 gsi; u16 flags; } isa_irq[16];	/* flags: MPS INTI */
	u16 pm_timer_port;	/* 0: none */
	bool pm_timer_32bit;
	u16 pm1a_control, pm1b_control;
	u8 s5_type_a, s5_type_b;
	bool can_power_off;
};
extern struct acpi_info acpi;

void acpi_parse(void);		/* while all memory below 4 GiB is mapped: before pagetable_init() */
void machine_power_off(void) __attribute__((noreturn));
void machine_restart(void) __attribute__((noreturn));

#endif

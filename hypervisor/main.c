/* SPDX-License-Identifier: MIT */
/*
 * The machine comes up: first on the loader's page tables and stack, then on our own tables and the
 * idle vCPU's stack, at last with domain 0 in the run queue.
 */
#include <asm.h>
#include <boot.h>
#include <boot_memory.h>
#include <console.h>
#include <cpu.h>
#include <emulate.h>
#include <entry.h>
#include <frames.h>
#include <frames.h>
#include <image.h>
#include <irq.h>
#include <pagetable.h>
#include <sections.h>
#include <version.h>

#define COM1_IRQ 4

void paravane_main(u32 magic, maddr_t info) __attribute__((noreturn));

/* From here on `current` is the idle vCPU, and an exception has somewhere to go. */
static void start_machine(void)
{
	mask_8259s();
	apic_init();
	ioapic_init();
	time_init();
	ioapic_route_isa(COM1_IRQ, VECTOR_CONSOLE, cpus[0]->apic_id);
	smp_boot();
	release_boot_memory();
	if (!boot_module_count)
		panic("no kernel for domain 0: give one as the first module");
	dom0_build(&boot_modules[0], boot_module_count > 1 ? &boot_modules[1] : NULL);
	idle_loop();
}

static u32 own_apic_id(void)
{
	u32 r[4];

	cpuid(1, 0, r);
	return r[1] >> 24;
}

void paravane_main(u32 magic, maddr_t info)
{
	struct cpu *c;

	console_init();
	log_info("Paravane %d.%d%s", VERSION_MAJOR, VERSION_MINOR, VERSION_EXTRA);
	multiboot_parse(magic, info);
	cmdline_parse(boot_cmdline);
	console_configure();
	features_init();
	features_init_cpu();
	acpi_parse();
	boot_memory_init();
	pagetable_init();
	frames_init();
	cpuid_init();
	c = cpu_create(0, own_apic_id());
	if (!c || !idle_vcpu_create(c))
		panic("not enough memory for the first CPU");
	c->online = true;
	cpu_load_tables(c);
	start_on_idle(c->idle, start_machine);
}

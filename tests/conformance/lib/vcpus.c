/* SPDX-License-Identifier: MIT */
/*
 * Secondary vCPUs. A vCPU's number is in its stack's address, so what runs on one needs nothing else to know itself.
 *
 *     stacks: 0 unused | 1 ........ rsp at start | 2 ... | 3 ...       each STACK_SIZE, aligned to it
 */
#include "vcpus.h"

#define STACK_SIZE 16384
#define PATIENCE 5000000000UL

struct test_vcpu test_vcpu[TEST_VCPUS];
static uint8_t stacks[TEST_VCPUS][STACK_SIZE] __attribute__((aligned(STACK_SIZE)));
static struct vcpu_guest_context context;
static bool initialised[TEST_VCPUS];

void secondary_entry(void);
void secondary_event(void);
void secondary_main(uint64_t rdi, uint64_t rsp, uint64_t rflags) __attribute__((noreturn));
void secondary_upcall(void);

/* The event callback: as lib/entry.S says, the frame becomes that of the iret hypercall, which unmasks again. */
__asm__(".text\n"
	"secondary_entry:\n"
	"	mov	%rsp, %rsi\n"
	"	pushfq\n"
	"	pop	%rdx\n"
	"	call	secondary_main\n"
	"	ud2\n"
	"secondary_event:\n"
	"	pop	%rcx\n"
	"	pop	%r11\n"
	"	push	$0\n"
	"	push	%rcx\n"
	"	push	%r11\n"
	"	push	%rax\n"
	"	push	%rdi; push %rsi; push %rdx; push %r8; push %r9; push %r10; push %rbx\n"
	"	mov	%rsp, %rbx\n"
	"	and	$-16, %rsp\n"
	"	cld\n"
	"	call	secondary_upcall\n"
	"	mov	%rbx, %rsp\n"
	"	pop	%rbx; pop %r10; pop %r9; pop %r8; pop %rdx; pop %rsi; pop %rdi\n"
	"	mov	$23, %eax\n"
	"	syscall\n"
	"	ud2\n");

int64_t vcpu_op(unsigned int cmd, uint64_t vcpu, const void *arg)
{
	return hypercall(vcpu_op, cmd, vcpu, arg);
}

/* --- on a secondary vCPU ------------------------------------------------------------------------------------------- */

unsigned int vcpu_self(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0) - (uint64_t)stacks;

	return here < sizeof(stacks) ? (unsigned int)(here / STACK_SIZE) : 0;
}

static void take_port(struct test_vcpu *t, unsigned int port)
{
	port_clear(port);
	if (port < ARRAY_SIZE(t->port_count))
		t->port_count[port]++;
}

void secondary_upcall(void)
{
	struct test_vcpu *t = &test_vcpu[vcpu_self()];
	uint64_t selected, bits;

	t->upcalls++;
	*(volatile uint8_t *)&t->info->evtchn_upcall_pending = 0;
	selected = __atomic_exchange_n(&t->info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
	for (; selected; selected &= selected - 1) {
		unsigned int word = (unsigned int)__builtin_ctzll(selected);

		bits = __atomic_load_n(&shared_info->evtchn_pending[word], __ATOMIC_SEQ_CST) & ~shared_info->evtchn_mask[word];
		for (; bits; bits &= bits - 1)
			take_port(t, word * 64 + (unsigned int)__builtin_ctzll(bits));
	}
}

void secondary_main(uint64_t rdi, uint64_t rsp, uint64_t rflags)
{
	struct test_vcpu *t = &test_vcpu[vcpu_self()];

	t->first_rdi = rdi;
	t->first_rsp = rsp;
	t->first_rflags = rflags;
	t->first_mask = t->info->evtchn_upcall_mask;
	for (;;) {
		t->beats++;
		if (t->function) {
			t->result = t->function(t->argument);
			__atomic_store_n(&t->function, NULL, __ATOMIC_SEQ_CST);
		}
		relax();
	}
}

/* --- on vCPU 0 -------------------------------------------------------------------------------------------------------- */

struct vcpu_guest_context *vcpu_context(unsigned int id)
{
	struct vcpu_guest_context *c = &context;

	memset(c, 0, sizeof(*c));
	c->flags = VGCF_in_kernel;
	c->user_regs.rip = (uint64_t)secondary_entry;
	c->user_regs.cs = KERNEL_CS;
	c->user_regs.ss = USER_SS;
	c->user_regs.rsp = (uint64_t)stacks[id] + STACK_SIZE - 16;
	c->user_regs.rdi = 1000 + id;
	c->user_regs.rflags = 1 << 9;
	c->kernel_ss = USER_SS;
	c->kernel_sp = c->user_regs.rsp;
	c->ctrlreg[3] = boot_l4_mfn() << PAGE_SHIFT;
	c->event_callback_eip = (uint64_t)secondary_event;
	c->failsafe_callback_eip = (uint64_t)callback_failsafe;
	c->syscall_callback_eip = (uint64_t)callback_syscall;
	for (unsigned int i = 0; i < 256; i++) {
		c->trap_ctxt[i].vector = (uint8_t)i;
		c->trap_ctxt[i].cs = KERNEL_CS;
		c->trap_ctxt[i].address = trap_stub(i);
	}
	if (!test_vcpu[id].info)
		test_vcpu[id].info = &shared_info->vcpu_info[id];
	return c;
}

bool wait_change(const volatile uint64_t *word, uint64_t old)
{
	uint64_t end = system_time() + PATIENCE;

	while (*word == old) {
		if (system_time() > end)
			return false;
		relax();
	}
	return true;
}

bool wait_port(unsigned int id, unsigned int port, unsigned int n)
{
	uint64_t end = system_time() + PATIENCE;

	while (test_vcpu[id].port_count[port] < n) {
		if (system_time() > end)
			return false;
		relax();
	}
	return true;
}

void vcpu_start(unsigned int id)
{
	uint64_t beats = test_vcpu[id].beats;

	if (!initialised[id] && vcpu_op(VCPUOP_initialise, id, vcpu_context(id)))
		bail("vCPU %u cannot be initialised", id);
	initialised[id] = true;
	if (vcpu_op(VCPUOP_up, id, NULL) || !wait_change(&test_vcpu[id].beats, beats))
		bail("vCPU %u does not run", id);
}

void vcpu_call(unsigned int id, uint64_t (*function)(uint64_t), uint64_t argument)
{
	test_vcpu[id].argument = argument;
	__atomic_store_n(&test_vcpu[id].function, function, __ATOMIC_SEQ_CST);
}

uint64_t vcpu_wait(unsigned int id)
{
	uint64_t end = system_time() + PATIENCE;

	while (__atomic_load_n(&test_vcpu[id].function, __ATOMIC_SEQ_CST)) {
		if (system_time() > end)
			bail("vCPU %u does not come to the end of its function", id);
		relax();
	}
	return test_vcpu[id].result;
}

void spin_for(uint64_t ns)
{
	uint64_t end = system_time() + ns;

	while (system_time() < end)
		relax();
}

/* As lib/time.c does it for vCPU 0. */
uint64_t vcpu_time(unsigned int id)
{
	volatile struct vcpu_time_info *t = id ? &test_vcpu[id].info->time : &vcpu_info->time;
	uint64_t base, delta;
	uint32_t version, low, high;

	do {
		version = t->version & ~1u;
		barrier();
		__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
		delta = ((uint64_t)high << 32 | low) - t->tsc_timestamp;
		delta = t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
		base = t->system_time + (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
		barrier();
	} while (t->version != version);
	return base;
}

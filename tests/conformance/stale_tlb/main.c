/* SPDX-License-Identifier: MIT */
/*
 * What another processor remembers of a mapping that is gone. Its vCPU stores into a page without pause; the first takes the mapping away, asks
 * for no flush, and makes the page a page table. Did a store still arrive, the guest could write any frame's number into a table.
 */
#include "guest.h"
#include "vcpus.h"

#define ROUNDS 300
#define WORD 7
#define PATIENCE 1000000000UL
#define NEAR 200		/* stores that are tried while the page is a table */

static uint64_t *page, *window;
static volatile bool stop;
static volatile uint64_t tries, faults;

void store_word(uint64_t *at, uint64_t value);
extern char store_word_end[];

/* A function of its own, so that its fault can be told from others by where it is, and be passed over. */
__asm__(".text\n"
	"store_word:\n"
	"	mov	%rsi, (%rdi)\n"
	"store_word_end:\n"
	"	ret\n");

static bool pass_over(struct regs *regs)
{
	if (regs->vector != VECTOR_PF || regs->rip != (uint64_t)store_word)
		return false;
	regs->rip = (uint64_t)store_word_end;
	faults++;
	return true;
}

/* No value is an entry with P, so that a table that holds one is good. */
static uint64_t store(uint64_t unused)
{
	for (uint64_t value = 2; !stop; value += 2) {
		store_word(&window[WORD], value);
		tries++;
		test_vcpu[1].beats++;
	}
	return unused;
}

static bool more(const volatile uint64_t *word, uint64_t least)
{
	uint64_t end = system_time() + PATIENCE;

	while (*word < least && system_time() < end)
		relax();
	return *word >= least;
}

/* The page's own mapping is read-only, so it shows what arrives. */
static bool arrives(void)
{
	return more((volatile uint64_t *)&page[WORD], page[WORD] + 20);
}

static void race(void)
{
	uint32_t refused = 0, changed = 0, silent = 0, quiet = 0;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint64_t before, word;

		map_frame(window, mfn_of(page), PTE_DATA);
		silent += !arrives();
		refused += hypercall(update_va_mapping, window, 0, UVMF_NONE) != 0;
		refused += mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(page), 0) != 0;
		word = ((volatile uint64_t *)page)[WORD];
		before = faults;
		quiet += !more(&tries, tries + NEAR) || faults == before;
		changed += ((volatile uint64_t *)page)[WORD] != word;
		refused += mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page), 0) != 0;
	}
	note("%lu stores, %lu faults", tries, faults);
	check_eq("PIN-RACE-1", refused, 0, "%u times the mapping goes and the page is pinned at once", ROUNDS);
	check_eq("PIN-RACE-2", changed, 0, "no store of another processor arrives in the table");
	check("PIN-RACE-3", !silent && !quiet, "it faults then, and arrives when there is a mapping again");
}

void test_main(void)
{
	page = page_alloc();
	window = page_alloc();
	make_readonly(page);
	map_page(window, 0);
	trap_hook = pass_over;
	vcpu_start(1);
	vcpu_call(1, store, 0);
	race();
	stop = true;
	vcpu_wait(1);
	trap_hook = NULL;
}

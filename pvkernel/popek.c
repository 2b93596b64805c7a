/* SPDX-License-Identifier: MIT */
/*
 * The table of Popek and Goldberg, filled in by trying. Their theorem: a machine can be virtualized
 * by trapping alone if every sensitive instruction is privileged, which is to say traps outside ring
 * 0. Ring 3 of x86-64 is not such a machine; the last column is why a paravirtual kernel works anyway.
 */
#include "boot.h"
#include "lib.h"
#include "ops.h"
#include "popek.h"
#include "shell.h"
#include "traps.h"

struct tally {
	unsigned int sensitive, not_privileged, silent, trapped, interpreted;
};

static const char *sensitive_name(u8 s)
{
	return s == SENS_CONTROL ? "control" : s == SENS_BEHAVIOUR ? "behaviour" : "both";
}

static const char *privilege_name(u8 p)
{
	static const char *const names[] = {
		[PRIVILEGED] = "traps", [IOPL_GUARDED] = "by IOPL", [FLAG_GUARDED] = "by flag",
		[UNPRIVILEGED] = "executes",
	};

	return names[p];
}

static const char *fault_name(char *buf, size_t size)
{
	static const char *const names[] = {
		[X86_TRAP_BP] = "#BP", [X86_TRAP_UD] = "#UD", [X86_TRAP_NM] = "#NM", [10] = "#TS",
		[11] = "#NP", [12] = "#SS", [X86_TRAP_GP] = "#GP", [X86_TRAP_PF] = "#PF",
	};
	u64 v = last_fault.vector;

	snprintf(buf, size, "%s(%lx)", v < ARRAY_SIZE(names) && names[v] ? names[v] : "fault", last_fault.error);
	return buf;
}

/*
 * Who completed it? Ring 3 cannot have executed a privileged one, so the hypervisor did. The others
 * that a flag guards may be either: seen from here they are the same.
 */
static const char *completed_name(const struct instruction *i)
{
	if (boot.native)
		return "executed";
	if (i->privilege == PRIVILEGED || i->privilege == IOPL_GUARDED)
		return "interpreted";
	return "executed";
}

static void try_one(const struct instruction *i, struct tally *tally)
{
	enum effect effect = EFFECT_NONE;
	char buf[24];
	const char *here = "not tried", *same = "-";
	bool irq = irq_save();

	if (!(boot.native && i->spare_native)) {
		if (!i->try(&effect)) {
			here = fault_name(buf, sizeof(buf));
			tally->trapped++;
		} else {
			here = completed_name(i);
			same = effect == EFFECT_SAME ? "yes" : effect == EFFECT_DIFFERENT ? "NO" : "-";
			tally->silent += effect == EFFECT_DIFFERENT;
			tally->interpreted += here[0] == 'i';
		}
	}
	irq_restore(irq);
	tally->sensitive++;
	tally->not_privileged += i->privilege != PRIVILEGED;
	printf("%-14s %-9s %-8s %-11s %-5s %s\n", i->name, sensitive_name(i->sensitive),
	       privilege_name(i->privilege), here, same, i->instead);
}

static int cmd_popek(int argc, char **argv)
{
	struct tally t = { 0 };

	printf("Sensitive instructions, tried in ring %d%s\n", boot.native ? 0 : 3,
	       boot.native ? " (those that would take the machine down are not)" : "");
	printf("%-14s %-9s %-8s %-11s %-5s %s\n", "instruction", "sensitive", "ring 3", "here", "same",
	       "a PV kernel uses instead");
	for (unsigned int i = 0; i < nr_popek_instructions; i++)
		try_one(&popek_instructions[i], &t);
	printf("%u sensitive, of which %u need not trap in ring 3.\n", t.sensitive, t.not_privileged);
	printf("Here: %u trapped to this kernel, %u interpreted by the hypervisor, %u completed with "
	       "another effect than in ring 0.\n", t.trapped, t.interpreted, t.silent);
	return 0;
}
COMMAND(popek, cmd_popek, "tries every sensitive instruction and classifies it");

/* SPDX-License-Identifier: MIT */
/* The hypercall forms that cpu=trap falls back to, and the instruction forms shared with native. */
#ifndef PVK_OPS_PV_H
#define PVK_OPS_PV_H

#include "ops.h"

void pv_irq_enable(void);
void pv_irq_disable(void);
bool pv_irq_enabled(void);
void pv_halt(void);
void pv_set_ptes(unsigned int level, const struct pte_update *list, unsigned int count);
void pv_pin_table(unsigned int level, u64 pfn);
void pv_unpin_table(u64 pfn);
void pv_write_cr3(u64 maddr);
void pv_invlpg(u64 va);
void pv_flush_tlb(void);
void pv_cpuid(u32 leaf, u32 subleaf, u32 out[4]);
void pv_set_timer(u64 deadline);
void pv_stop(unsigned int how);

void bare_set_ptes(unsigned int level, const struct pte_update *list, unsigned int count);
void bare_set_va(u64 va, u64 pte, unsigned int flush);
void bare_write_cr3(u64 maddr);
u64 bare_read_cr3(void);
void bare_invlpg(u64 va);
void bare_flush_tlb(void);
u64 bare_read_cr2(void);
void bare_set_fs_base(u64 base);
void bare_set_gs_base(u64 base);
void bare_set_ts(bool set);
void bare_set_dr(unsigned int n, u64 val);
u64 bare_get_dr(unsigned int n);

#endif

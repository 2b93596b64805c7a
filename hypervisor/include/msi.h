/* SPDX-License-Identifier: MIT */
/* Message interrupts of PCI functions (cpu/msi.c); all but msix_page() under pirq_lock. */
#ifndef PARAVANE_MSI_H
#define PARAVANE_MSI_H

#include <types.h>

struct message {
	u16 function;		/* as in pci.h */
	u16 entry;		/* MSI-X: which of the table */
	u8 capability;		/* its place in configuration space */
	bool msix;
	u8 mask_at;		/* MSI: place of the mask word; 0: it has none */
	maddr_t at;		/* MSI-X: the table's entry */
};

/*
 * Makes *m a message of the function: of its MSI-X table's entry, or by MSI. 0; -ENODEV: no such function or capability; -EINVAL: no such entry;
 * -ENXIO: the table is no device memory, or memory decoding is off; -ENOSPC: too many functions use MSI-X; -ENOMEM.
 */
int msi_claim(struct message *m, u16 function, bool msix, u32 entry);
void msi_release(const struct message *m);	/* masked, for good */
void msi_program(const struct message *m, int vector, u32 apic_id);
void msi_mask(const struct message *m, bool masked);

/* Its table's pages are kept from being written, though no entry is claimed. 0, -EBUSY (they are already), or as msi_claim(). */
int msix_prepare(u16 function);
int msix_unprepare(u16 function);	/* 0, -EBUSY: they were not by msix_prepare() alone, -ENODEV */
void msix_forget(u16 function);		/* the function goes: as it was before msix_prepare(), if that was called */

/* A page that domain 0 may not write: of an MSI-X table in use, or of its pending bits. Under no lock after l1_lock. */
bool msix_page(mfn_t mfn);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * physdev_op on the host: who may call what, and the page of pirq_eoi_gmfn, which another vCPU of the domain may be giving at the same
 * time. What would be done to interrupts and devices is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <layout.h>
#include <string.h>
#include <types.h>

/* --- in place of headers ------------------------------------------------------------------------------------------ */

#define PARAVANE_SPINLOCK_H
struct spinlock {
	bool held;
};
static inline void spin_lock(struct spinlock *l) { l->held = true; }
static inline void spin_unlock(struct spinlock *l) { l->held = false; }

#define PARAVANE_UACCESS_H
static u8 guest[64];
static inline int copy_from_guest(void *to, u64 from, size_t bytes) { memcpy(to, guest, bytes); return 0; }
static inline int copy_to_guest(u64 to, const void *from, size_t bytes) { memcpy(guest, from, bytes); return 0; }
static inline bool guest_range_ok(u64 at, u64 bytes) { return at < 1ull << 47; }

#define PARAVANE_FRAMES_H
enum { FRAME_WRITABLE };
#define FRAMES 8
static int refs[FRAMES];
static void (*meanwhile)(void);		/* what another vCPU does while this one takes a reference */

static inline bool cas64(u64 *p, u64 *old, u64 new)
{
	return __atomic_compare_exchange_n(p, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static inline void *mfn_to_virt(mfn_t mfn) { return (void *)(mfn << PAGE_SHIFT); }

static int get_frame_type(mfn_t mfn, domid_t owner, int type)
{
	void (*other)(void) = meanwhile;

	meanwhile = NULL;
	if (mfn >= FRAMES)
		return -22;
	refs[mfn]++;
	if (other)
		other();
	return 0;
}

static void put_frame_type(mfn_t mfn) { refs[mfn]--; }

#include <vcpu.h>
#include "../../hypervisor/domain/physdev.c"

static struct domain domain;
static struct vcpu vcpu = { .domain = &domain };
static int acts;		/* on the machine */
static u64 *page;
struct spinlock pirq_lock;

int pirq_map_line(s32 gsi, s32 wanted) { acts++; return gsi; }
int pirq_map_message(u16 function, bool msix, u32 entry, s32 wanted) { acts++; return 200; }
int pirq_reserve(bool line) { acts++; return 20; }
int pirq_unmap(u32 pirq) { acts++; return 0; }
void pirq_unmap_function(u16 function) { acts++; }
void pirq_restore_function(u16 function) { acts++; }
int pirq_setup_line(u32 gsi, bool level, bool low) { acts++; return 0; }
int pirq_eoi(u32 pirq) { acts++; return 0; }
void pirq_set_eoi_page(u64 *p, bool unmasks) { acts++; page = p; }
bool ioapic_read(maddr_t base, u32 reg, u32 *value) { acts++; return true; }
int msix_prepare(u16 function) { acts++; return 0; }
int msix_unprepare(u16 function) { acts++; return 0; }
struct domain *domain_find(domid_t id) { return id < 4 ? &domain : NULL; }

static long call(u32 command, const void *structure, size_t bytes)
{
	memset(guest, 0, sizeof(guest));
	memcpy(guest, structure, bytes);
	return do_physdev_op(command, 0, 0, 0, 0, &vcpu);
}

static long give_page(mfn_t mfn)
{
	struct physdev_pirq_eoi_gmfn op = { .gmfn = mfn };

	return call(PHYSDEVOP_pirq_eoi_gmfn_v2, &op, sizeof(op));
}

/* --- cases -------------------------------------------------------------------------------------------------------- */

/* Only what concerns the caller itself works without the privilege. */
static void only_domain_0(void **state)
{
	static const u32 own[] = { PHYSDEVOP_set_iopl, PHYSDEVOP_set_iobitmap, PHYSDEVOP_irq_status_query, PHYSDEVOP_pirq_eoi_gmfn_v1, PHYSDEVOP_pirq_eoi_gmfn_v2 };
	u8 zero[64] = { 0 };

	for (u32 command = 0; command < 64; command++) {
		bool is_own = false;
		long result = call(command, zero, sizeof(zero));

		for (size_t i = 0; i < ARRAY_SIZE(own); i++)
			is_own |= command == own[i];
		if (command == PHYSDEVOP_eoi)
			assert_int_equal(result, -EINVAL);
		else if (!is_own)
			assert_true(result == -EPERM || result == -ENOSYS);
	}
	assert_int_equal(acts, 0);
}

static void another_gives_a_page(void)
{
	assert_int_equal(give_page(5), 0);
}

static void one_page(void **state)
{
	domain.privileged = true;
	assert_int_equal(give_page(FRAMES), -EINVAL);
	meanwhile = another_gives_a_page;
	assert_int_equal(give_page(4), -EBUSY);
	assert_int_equal(refs[4], 0);
	assert_int_equal(refs[5], 1);
	assert_ptr_equal(page, mfn_to_virt(5));
	assert_int_equal(give_page(6), -EBUSY);
	assert_int_equal(refs[6], 0);
}

static void others_pirqs(void **state)
{
	struct physdev_map_pirq map = { .domid = 3, .type = MAP_PIRQ_TYPE_GSI, .index = 4, .pirq = 4 };
	struct physdev_unmap_pirq unmap = { .domid = 3, .pirq = 4 };

	domain.privileged = true;
	assert_int_equal(call(PHYSDEVOP_map_pirq, &map, sizeof(map)), -EPERM);
	assert_int_equal(call(PHYSDEVOP_unmap_pirq, &unmap, sizeof(unmap)), -EPERM);
	map.domid = unmap.domid = 9;
	assert_int_equal(call(PHYSDEVOP_map_pirq, &map, sizeof(map)), -ESRCH);
	assert_int_equal(call(PHYSDEVOP_unmap_pirq, &unmap, sizeof(unmap)), -ESRCH);
	assert_int_equal(acts, 0);
}

static int setup(void **state)
{
	memset(&domain, 0, sizeof(domain));
	memset(refs, 0, sizeof(refs));
	acts = 0;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(only_domain_0, setup),
		cmocka_unit_test_setup(one_page, setup),
		cmocka_unit_test_setup(others_pirqs, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

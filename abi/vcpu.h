/* SPDX-License-Identifier: MIT */
/* vcpu_op: starting and stopping vCPUs, their timers, and the areas they share. See vcpu.md. */
#ifndef ABI_VCPU_H
#define ABI_VCPU_H

#define VCPUOP_initialise 0
#define VCPUOP_up 1
#define VCPUOP_down 2
#define VCPUOP_is_up 3
#define VCPUOP_get_runstate_info 4
#define VCPUOP_register_runstate_memory_area 5
#define VCPUOP_set_periodic_timer 6
#define VCPUOP_stop_periodic_timer 7
#define VCPUOP_set_singleshot_timer 8
#define VCPUOP_stop_singleshot_timer 9
#define VCPUOP_register_vcpu_info 10
#define VCPUOP_send_nmi 11
#define VCPUOP_get_physid 12
#define VCPUOP_register_vcpu_time_memory_area 13

/* vcpu_runstate_info.state, and the index of its time[] */
#define RUNSTATE_running 0
#define RUNSTATE_runnable 1
#define RUNSTATE_blocked 2
#define RUNSTATE_offline 3

/* In state_entry_time while a registered area changes, with VMASST_TYPE_runstate_update_flag. */
#define XEN_RUNSTATE_UPDATE 0x8000000000000000

/* vcpu_set_singleshot_timer.flags */
#define VCPU_SSHOTTMR_future 1

#ifndef __ASSEMBLY__
#include <stdint.h>

/* 48 bytes. */
struct vcpu_runstate_info {
	int32_t state;			/* 0x00 OUT: RUNSTATE_* */
	uint64_t state_entry_time;	/* 0x08 OUT: system time, ns */
	uint64_t time[4];		/* 0x10 OUT: ns spent in each state */
};

/* 8 bytes. */
struct vcpu_register_runstate_memory_area {
	union {
		uint64_t h;	/* 0x00 IN: points to a vcpu_runstate_info */
		uint64_t v;	/* 0x00 IN: the same */
		uint64_t p;	/* 0x00 IN: the same */
	} addr;			/* 0x00 */
};

/* 8 bytes. */
struct vcpu_set_periodic_timer {
	uint64_t period_ns;	/* 0x00 IN: at least 1000000 */
};

/* 16 bytes. */
struct vcpu_set_singleshot_timer {
	uint64_t timeout_abs_ns;	/* 0x00 IN: system time */
	uint32_t flags;			/* 0x08 IN: VCPU_SSHOTTMR_future */
};

/* 16 bytes. */
struct vcpu_register_vcpu_info {
	uint64_t mfn;		/* 0x00 IN: page of the vcpu_info */
	uint32_t offset;	/* 0x08 IN: where in it */
	uint32_t rsvd;		/* 0x0c */
};

/* 8 bytes. */
struct vcpu_get_physid {
	uint64_t phys_id;	/* 0x00 OUT: APIC id low, ACPI id high */
};

/* 8 bytes. */
struct vcpu_register_time_memory_area {
	union {
		uint64_t h;	/* 0x00 IN: points to a vcpu_time_info */
		uint64_t v;	/* 0x00 IN: the same */
		uint64_t p;	/* 0x00 IN: the same */
	} addr;			/* 0x00 */
};
#endif

#endif

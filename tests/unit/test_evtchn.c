/* SPDX-License-Identifier: MIT */
/*
 * Event channels against a model (evtchn_model.h): two domains of two vCPUs do random operations, right and wrong ones, and take
 * their events as guests do. After each step results, statuses, all that a guest sees of its events, and who was woken are
 * those of the model; no event that the guest has to see goes unseen, and no port or page is lost at the end.
 */
#include "evtchn_host.h"
#include "evtchn_model.h"

#define STEPS 6000

static u64 random_state = 88172645463325252ull;

static u32 rnd(u32 n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % n;
}

static u32 *fifo_words[DOMAINS];	/* of the pages that the test gave */
static struct evtchn_fifo_control_block *control_block[DOMAINS][VCPUS];
static u64 events_taken;

/* --- what must be true after each step ---------------------------------------------------------------------------------- */

static void check_status(int d, u32 port)
{
	const struct mport *p = &model[d].port[port];
	struct evtchn_status op = { .dom = DOMID_SELF, .port = port };
	long result = hypercall(&host_vcpu[d][0], EVTCHNOP_status, &op, sizeof(op));

	if (port >= model[d].ports) {
		assert_int_equal(result, -EINVAL);
		return;
	}
	assert_int_equal(result, 0);
	assert_int_equal(op.port, port);
	assert_int_equal(op.status, p->status);
	assert_int_equal(op.vcpu, p->vcpu);
	if (p->status == EVTCHNSTAT_unbound)
		assert_int_equal(op.u.unbound.dom, p->dom);
	if (p->status == EVTCHNSTAT_virq)
		assert_int_equal(op.u.virq, p->number);
	if (p->status == EVTCHNSTAT_interdomain) {
		assert_int_equal(op.u.interdomain.dom, p->dom);
		assert_int_equal(op.u.interdomain.port, p->number);
	}
}

static void check_two_level(int d, u32 port)
{
	const struct shared_info *s = &host_shared[d];
	const struct mport *p = &model[d].port[port];
	bool pending = s->evtchn_pending[port / 64] >> port % 64 & 1, masked = s->evtchn_mask[port / 64] >> port % 64 & 1;
	bool told = false;

	assert_int_equal(pending, p->pending);
	assert_int_equal(masked, p->masked);
	for (int v = 0; v < VCPUS; v++)
		told |= s->vcpu_info[v].evtchn_upcall_pending && s->vcpu_info[v].evtchn_pending_sel >> port / 64 & 1;
	assert_true(!pending || masked || told || model[d].fifo);
}

static void check_word(int d, u32 port)
{
	const struct mport *p = &model[d].port[port];
	u32 word = fifo_words[d][port];

	assert_int_equal(word >> EVTCHN_FIFO_PENDING & 1, p->fifo_pending);
	assert_int_equal(word >> EVTCHN_FIFO_MASKED & 1, p->fifo_masked);
	assert_int_equal(word >> EVTCHN_FIFO_LINKED & 1, p->linked);
	assert_false(word >> EVTCHN_FIFO_BUSY & 1);
	assert_true(p->linked || !p->fifo_pending || p->fifo_masked);
}

static void check_queues(int d, int v)
{
	const struct evtchn_fifo_control_block *c = control_block[d][v];

	assert_int_equal(c->ready, model[d].ready[v]);
	for (int i = 0; i < EVTCHN_FIFO_MAX_QUEUES; i++) {
		const struct mqueue *q = &model[d].queue[v][i];
		u32 port = c->head[i];

		for (int n = 0; n < q->length; n++) {
			assert_int_equal(port, q->port[n]);
			port = fifo_words[d][port] & EVTCHN_FIFO_LINK_MASK;
		}
		assert_int_equal(port, 0);
		assert_true(!q->length || (c->ready >> i & 1 && host_vcpu[d][v].info->evtchn_upcall_pending));
	}
}

static void check_vcpu(int d, int v)
{
	const struct vcpu_info *info = host_vcpu[d][v].info;

	assert_int_equal(info->evtchn_pending_sel, model[d].sel[v]);
	assert_int_equal(info->evtchn_upcall_pending, model[d].upcall[v]);
	assert_int_equal(kicks[d][v], model[d].kicks[v]);
	assert_int_equal(wakes[d][v], model[d].wakes[v]);
	assert_int_equal(host_vcpu[d][v].poll_port, model[d].polls[v]);
	if (model[d].control[v])
		check_queues(d, v);
}

static void check_domain(int d)
{
	assert_int_equal(host_domain[d].fifo != NULL, model[d].fifo);
	for (u32 port = 0; port < model[d].ports + 2; port++)
		check_status(d, port);
	for (u32 port = 0; port < model[d].ports; port++) {
		check_two_level(d, port);
		if (port < model[d].words)
			check_word(d, port);
	}
	for (int v = 0; v < VCPUS; v++)
		check_vcpu(d, v);
}

static void check(void)
{
	for (int d = 0; d < DOMAINS; d++)
		check_domain(d);
}

/* --- hypercalls, on the code and the model ------------------------------------------------------------------------------- */

/* Fields that are not named are 0. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#define CALL(op, ...) ({ struct evtchn_##op op_ = { __VA_ARGS__ }; hypercall(self(), EVTCHNOP_##op, &op_, sizeof(op_)); })

static struct vcpu *self(void) { return &host_vcpu[caller_domain][caller_vcpu]; }

/* The model's answer is a port or an error. A guest that cannot be told its port has none. */
#define BIND(op, port_field, expected, ...) do { \
		struct evtchn_##op op_ = { __VA_ARGS__ }; \
		long result_, expected_; \
		guest.writable = rnd(16); \
		result_ = hypercall(self(), EVTCHNOP_##op, &op_, sizeof(op_)); \
		expected_ = (expected); \
		if (expected_ > 0 && !guest.writable) { \
			m_close(caller_domain, expected_); \
			expected_ = -EFAULT; \
		} \
		assert_int_equal(result_, expected_ < 0 ? expected_ : 0); \
		if (expected_ > 0) \
			assert_int_equal(op_.port_field, expected_); \
		guest.writable = true; \
	} while (0)

static u32 open_ports(int d)
{
	u32 n = 0;

	for (u32 port = 1; port < model[d].ports; port++)
		n += model[d].port[port].status != EVTCHNSTAT_closed;
	return n;
}

/* Mostly an open one. */
static u32 some_port(int d)
{
	u32 port;

	if (!rnd(20))
		return rnd(2) ? rnd(MODEL_PORTS) : rnd(2) ? 4096 : ~0u - rnd(2);
	for (int tries = 0; tries < 40; tries++) {
		port = 1 + rnd(model[d].ports - 1);
		if (model[d].port[port].status != EVTCHNSTAT_closed)
			break;
	}
	return port;
}

static void alloc_step(void)
{
	u32 remote = rnd(10) ? rnd(DOMAINS) : 1234;
	bool by_name = rnd(2);

	BIND(alloc_unbound, port, m_open(&model[caller_domain], EVTCHNSTAT_unbound, 0, remote, 0),
	     .dom = by_name ? caller_domain : DOMID_SELF,
	     .remote_dom = remote == (u32)caller_domain && rnd(2) ? DOMID_SELF : remote);
}

static void bind_step(void)
{
	int rd = rnd(DOMAINS);
	u32 rport = some_port(rd);

	for (int tries = 0; tries < 20 && !(rport < MODEL_PORTS && model[rd].port[rport].status == EVTCHNSTAT_unbound); tries++)
		rport = some_port(rd);
	BIND(bind_interdomain, local_port, m_bind_interdomain(caller_domain, rd, rport),
	     .remote_dom = rd == caller_domain && rnd(2) ? DOMID_SELF : rd, .remote_port = rport);
}

static void other_bind_step(void)
{
	u32 virq = rnd(NR_VIRQS + 2), vcpu = rnd(3);

	if (rnd(2))
		BIND(bind_virq, port, m_bind_virq(&model[caller_domain], virq, vcpu), .virq = virq, .vcpu = vcpu);
	else
		BIND(bind_ipi, port, m_bind_ipi(&model[caller_domain], vcpu), .vcpu = vcpu);
}

static void virq_step(void)
{
	u32 virq = rnd(NR_VIRQS), vcpu = rnd(VCPUS), port;
	int d = rnd(DOMAINS);

	running = self();
	if (m_per_vcpu(virq))
		send_vcpu_virq(&host_vcpu[d][vcpu], virq);
	else
		send_guest_virq(&host_domain[d], virq);
	port = m_virq_port(&model[d], virq, vcpu);
	if (port)
		m_raise(&model[d], port);
}

static void fifo_step(void)
{
	struct mdomain *m = &model[caller_domain];
	mfn_t frame = caller_domain;
	u32 vcpu = rnd(VCPUS), port = some_port(caller_domain), priority = rnd(17);

	if (rnd(3)) {
		assert_int_equal(CALL(set_priority, port, priority), m_set_priority(m, port, priority));
	} else if (rnd(2) || m->words) {
		while (frame < FRAMES && frame_refs[frame])
			frame += 2;
		if (!m->control[vcpu]) {
			memset(host_frame[frame], 0, PAGE_SIZE);
			control_block[caller_domain][vcpu] = (void *)(host_frame[frame] + 512);
		}
		assert_int_equal(CALL(init_control, .control_gfn = frame, .offset = 512, .vcpu = vcpu), m_init_control(m, vcpu));
	} else {
		while (frame < FRAMES && frame_refs[frame])
			frame += 2;
		memset(host_frame[frame], 0, PAGE_SIZE);
		fifo_words[caller_domain] = (u32 *)host_frame[frame];
		assert_int_equal(CALL(expand_array, frame), m_expand_array(m));
	}
}

/* The FIFO ABI leaves the selectors as they were before it; a reset that ends it clears them. */
static void reset_step(void)
{
	int d = caller_domain ? 1 : rnd(DOMAINS);

	assert_int_equal(CALL(reset, d == caller_domain ? DOMID_SELF : d), 0);
	m_reset(d);
	for (mfn_t i = d; i < FRAMES; i += 2)
		assert_int_equal(frame_refs[i], 0);
}

/* --- what guests do without a hypercall ----------------------------------------------------------------------------------- */

static void take_two_level(int d, int v)
{
	struct shared_info *s = &host_shared[d];
	struct vcpu_info *info = &s->vcpu_info[v];
	u64 sel = info->evtchn_pending_sel;

	info->evtchn_upcall_pending = 0;
	info->evtchn_pending_sel = 0;
	model[d].upcall[v] = false;
	model[d].sel[v] = 0;
	for (u32 port = 0; port < MODEL_PORTS; port++) {
		u64 *word = &s->evtchn_pending[port / 64];

		if (!(sel >> port / 64 & 1) || !(*word >> port % 64 & 1) || s->evtchn_mask[port / 64] >> port % 64 & 1)
			continue;
		*word &= ~(1ull << port % 64);
		model[d].port[port].pending = false;
		events_taken++;
	}
}

static void pop(int d, int v, int priority)
{
	struct mqueue *q = &model[d].queue[v][priority];
	u32 *head = &control_block[d][v]->head[priority], port = *head, *word = &fifo_words[d][port];
	struct mport *p = &model[d].port[port];

	assert_int_equal(port, q->port[0]);
	q->length--;
	for (int n = 0; n < q->length; n++)
		q->port[n] = q->port[n + 1];
	*head = *word & EVTCHN_FIFO_LINK_MASK;
	*word &= ~(1u << EVTCHN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK);
	p->linked = false;
	if (p->fifo_masked)
		return;
	events_taken += p->fifo_pending;
	*word &= ~(1u << EVTCHN_FIFO_PENDING);
	p->fifo_pending = false;
}

/* All, or only the first of a queue, which then stays ready. */
static void take_fifo(int d, int v, bool all)
{
	struct evtchn_fifo_control_block *c = control_block[d][v];

	for (int i = 0; i < EVTCHN_FIFO_MAX_QUEUES; i++)
		for (int n = model[d].queue[v][i].length; n; n = all ? model[d].queue[v][i].length : 0)
			pop(d, v, i);
	if (!all)
		return;
	host_vcpu[d][v].info->evtchn_upcall_pending = 0;
	model[d].upcall[v] = false;
	model[d].ready[v] = c->ready = 0;
}

static void take_step(int d, int v)
{
	if (!model[d].fifo)
		take_two_level(d, v);
	else if (model[d].control[v])
		take_fifo(d, v, rnd(2));
}

static void mask_step(int d)
{
	u32 port = 1 + rnd(model[d].ports - 1);
	struct mport *p = &model[d].port[port];

	if (!model[d].fifo) {
		host_shared[d].evtchn_mask[port / 64] |= 1ull << port % 64;
		p->masked = true;
	} else if (port < model[d].words) {
		fifo_words[d][port] |= 1u << EVTCHN_FIFO_MASKED;
		p->fifo_masked = true;
	}
}

/* As SCHEDOP_poll begins: of a port that is not pending, or of several. */
static void poll_step(int d, int v)
{
	u32 port = 1 + rnd(model[d].ports - 1);
	const struct mport *p = &model[d].port[port];
	int pending = evtchn_poll(&host_domain[d], port);

	assert_int_equal(pending, model[d].fifo ? p->fifo_pending : p->pending);
	if (pending || model[d].polls[v])
		return;
	model[d].polls[v] = host_vcpu[d][v].poll_port = rnd(4) ? port : POLL_SEVERAL;
	host_domain[d].polling |= 1u << v;
}

/* --- random sequences -------------------------------------------------------------------------------------- */

static void step(bool growing, bool with_fifo)
{
	u32 d = caller_domain = rnd(DOMAINS), v = caller_vcpu = rnd(VCPUS), port = some_port(d), vcpu = rnd(3);

	if (rnd(100) < (growing ? 25 : 5) && open_ports(d) < 300) {
		rnd(2) ? alloc_step() : bind_step();
		return;
	}
	switch (rnd(12)) {
	case 0:
		bind_step();
		break;
	case 1:
		other_bind_step();
		break;
	case 2:
		assert_int_equal(CALL(bind_vcpu, port, vcpu), m_bind_vcpu(&model[d], port, vcpu));
		break;
	case 3:
		if (growing && rnd(4))
			break;
		assert_int_equal(CALL(close, port), m_close(d, port));
		break;
	case 4:
		mask_step(d);
		break;
	case 5:
		assert_int_equal(CALL(unmask, port), m_unmask(&model[d], port));
		break;
	case 6:
		virq_step();
		break;
	case 7:
		take_step(d, v);
		break;
	case 8:
		poll_step(d, v);
		break;
	case 9:
		if (with_fifo)
			fifo_step();
		break;
	default:
		assert_int_equal(CALL(send, port), m_send(d, port));
		break;
	}
}

static void close_everything(void)
{
	for (caller_domain = 0; caller_domain < DOMAINS; caller_domain++) {
		for (u32 port = 1; port < model[caller_domain].ports; port++)
			assert_int_equal(CALL(close, port), m_close(caller_domain, port));
		assert_int_equal(open_ports(caller_domain), 0);
	}
	check();
}

static void random_sequences(bool with_fifo)
{
	for (int i = 0; i < STEPS; i++) {
		step(i % 1000 < 600, with_fifo);
		if (i % 1000 == 999)
			reset_step();
		check();
	}
	close_everything();
	assert_true(events_taken > STEPS / 20);
}

static void two_level(void **state) { random_sequences(false); }
static void fifo(void **state) { random_sequences(true); }

/* --- the ends of the tables -------------------------------------------------------------------------------- */

static void every_port(void **state)
{
	caller_domain = 1;
	for (int times = 0; times < 2; times++) {
		for (u32 port = 1; port < EVTCHN_2L_NR_CHANNELS; port++) {
			struct evtchn_bind_ipi op = { 0 };

			assert_int_equal(hypercall(self(), EVTCHNOP_bind_ipi, &op, sizeof(op)), 0);
			assert_int_equal(op.port, port);
		}
		assert_int_equal(CALL(bind_ipi, 0), -ENOSPC);
		for (u32 port = 1; port < EVTCHN_2L_NR_CHANNELS; port++) {
			assert_int_equal(CALL(send, port), 0);
			assert_int_equal(evtchn_poll(&host_domain[1], port), 1);
		}
		assert_int_equal(host_vcpu[1][0].info->evtchn_pending_sel, ~0ull);
		assert_int_equal(CALL(reset, DOMID_SELF), 0);
		for (int i = 0; i < 64; i++)
			assert_int_equal(host_shared[1].evtchn_pending[i], 0);
	}
}

/* With the FIFO ABI there are more, and one that is closed is found among them. */
static void every_fifo_port(void **state)
{
	struct evtchn_bind_ipi op = { 0 };

	caller_domain = 1;
	assert_int_equal(CALL(init_control, 1, 0, 0), 0);
	for (u32 port = 1; port < EVTCHN_MAX_PORTS; port++)
		assert_int_equal(CALL(bind_ipi, 0), 0);
	assert_int_equal(CALL(bind_ipi, 0), -ENOSPC);
	for (int i = 0; i < 2000; i++) {
		u32 port = 1 + rnd(EVTCHN_MAX_PORTS - 1);

		assert_int_equal(CALL(close, port), 0);
		assert_int_equal(hypercall(self(), EVTCHNOP_bind_ipi, &op, sizeof(op)), 0);
		assert_int_equal(op.port, port);
	}
	assert_int_equal(CALL(reset, DOMID_SELF), 0);
	assert_null(host_domain[1].fifo);
	assert_int_equal(CALL(bind_ipi, 0), 0);
}

/* Ports that the guest keeps in its queues are not given again, nor is there an endless search for others. */
static void ports_kept_waiting(void **state)
{
	caller_domain = 1;
	assert_int_equal(CALL(init_control, 1, 0, 0), 0);
	for (u32 page = 0; page < 2; page++)
		assert_int_equal(CALL(expand_array, 3 + 2 * page), 0);
	for (u32 i = 0; i < 1024; i++)
		((u32 *)host_frame[3])[i] = ((u32 *)host_frame[5])[i] = 1u << EVTCHN_FIFO_LINKED;
	assert_int_equal(CALL(bind_ipi, 0), -ENOSPC);
	((u32 *)host_frame[3])[700] = 0;
	assert_int_equal(CALL(bind_ipi, 0), 0);
	assert_int_equal(evtchn_at(host_domain[1].evtchn, 700)->state, EVTCHNSTAT_ipi);
}

static void domain_limit(void **state)
{
	caller_domain = 1;
	evtchn_set_limit(&host_domain[1], 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(CALL(bind_ipi, 0), 0);
	assert_int_equal(CALL(bind_ipi, 0), -ENOSPC);
	assert_int_equal(CALL(init_control, 1, 0, 0), 0);
	assert_int_equal(CALL(bind_ipi, 0), -ENOSPC);
	assert_int_equal(CALL(reset, DOMID_SELF), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(CALL(bind_ipi, 0), 0);
	assert_int_equal(CALL(bind_ipi, 0), -ENOSPC);
}

/* What domain 1 was bound to is unbound and waits for it, and nobody opens or binds a port of its any more. */
static void death(void **state)
{
	struct evtchn_alloc_unbound op = { .dom = 1, .remote_dom = 0 };

	for (int i = 0; i < STEPS / 4; i++) {
		step(true, true);
		check();
	}
	caller_domain = 0;
	evtchn_destroy(&host_domain[1]);
	assert_int_equal(locks_held, 0);
	m_reset(1);
	check_domain(0);
	for (u32 page = 1; page < FRAMES; page += 2)
		assert_int_equal(frame_refs[page], 0);
	for (int v = 0; v < VCPUS; v++)
		for (int q = 0; q < NR_VIRQS; q++)
			assert_int_equal(host_vcpu[1][v].virq_port[q], 0);
	assert_int_equal(hypercall(self(), EVTCHNOP_alloc_unbound, &op, sizeof(op)), -ESRCH);
	assert_int_equal(CALL(bind_interdomain, 1, 1), -EINVAL);
	assert_int_equal(CALL(reset, 1), 0);
	send_guest_virq(&host_domain[1], VIRQ_DOM_EXC);
}

static void no_memory_for_ports(void **state)
{
	int had = pages_left;

	pages_left = 0;
	for (u32 port = 1; port < EVTCHNS_PER_BUCKET; port++)
		assert_int_equal(CALL(alloc_unbound, DOMID_SELF, DOMID_SELF), 0);
	assert_int_equal(CALL(alloc_unbound, DOMID_SELF, DOMID_SELF), -ENOMEM);
	assert_int_equal(CALL(init_control, 0, 0, 0), -ENOMEM);
	assert_int_equal(frame_refs[0], 0);
	assert_int_equal(CALL(close, 7), 0);
	assert_int_equal(CALL(alloc_unbound, DOMID_SELF, DOMID_SELF), 0);
	pages_left = had;
	assert_int_equal(CALL(alloc_unbound, DOMID_SELF, DOMID_SELF), 0);
}

static void what_is_refused(void **state)
{
	struct evtchn_status op = { .dom = 0, .port = 1 };

	guest.readable = false;
	for (u32 n = 0; n <= EVTCHNOP_set_priority; n++)
		assert_int_equal(do_event_channel_op(n, GUEST_START, 0, 0, 0, self()), -EFAULT);
	guest.readable = true;
	assert_int_equal(do_event_channel_op(14, GUEST_START, 0, 0, 0, self()), -ENOSYS);
	assert_int_equal(CALL(bind_pirq, 1), -EPERM);
	assert_int_equal(CALL(bind_pirq, 256), -EINVAL);
	assert_int_equal(CALL(alloc_unbound, 77, 0), -ESRCH);
	assert_int_equal(CALL(bind_interdomain, 77, 1), -ESRCH);
	assert_int_equal(CALL(reset, 77), -ESRCH);
	host_domain[1].controller_pauses = 0;
	assert_int_equal(CALL(reset, 1), -EINVAL);
	assert_int_equal(CALL(init_control, 0, 4, 0), -EINVAL);
	assert_int_equal(CALL(init_control, 0, 4096 - 64, 0), -EINVAL);
	assert_int_equal(CALL(init_control, 1, 0, 0), -EINVAL);
	assert_int_equal(CALL(init_control, 0, 0, 2), -ENOENT);
	caller_domain = 1;
	assert_int_equal(CALL(alloc_unbound, 0, 0), -EPERM);
	assert_int_equal(CALL(reset, 0), -EPERM);
	assert_int_equal(hypercall(self(), EVTCHNOP_status, &op, sizeof(op)), -EPERM);
	check();
}

/* Whatever links the guest writes, nothing but its own queues is touched and every call ends. */
static void scribbled_queues(void **state)
{
	u32 *words = (u32 *)host_frame[0];

	for (int i = 0; i < 40; i++)
		assert_int_equal(CALL(bind_ipi, 0), 0);
	assert_int_equal(CALL(init_control, 2, 4096 - 72, 0), 0);
	assert_int_equal(CALL(expand_array, 0), 0);
	for (int i = 0; i < 20000; i++) {
		u32 port = 1 + rnd(40);

		words[rnd(1024)] = rnd(~0u);
		((u32 *)(host_frame[2] + 4096 - 72))[rnd(18)] = rnd(~0u);
		assert_int_equal(CALL(set_priority, port, rnd(16)), 0);
		assert_int_equal(rnd(2) ? CALL(send, port) : CALL(unmask, port), 0);
	}
	for (u32 n = 0; n < 4096 - 72; n++)
		assert_int_equal(host_frame[2][n], 0);
	for (u32 i = 1; i < FRAMES; i += i == 1 ? 2 : 1)
		for (u32 n = 0; n < PAGE_SIZE; n++)
			assert_int_equal(host_frame[i][n], 0);
	assert_int_equal(CALL(reset, DOMID_SELF), 0);
	assert_int_equal(frame_refs[0] | frame_refs[2], 0);
}

static int setup(void **state)
{
	host_reset();
	model_reset();
	caller_domain = caller_vcpu = 0;
	guest.readable = guest.writable = true;
	events_taken = 0;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_level, setup, host_teardown),
		cmocka_unit_test_setup_teardown(fifo, setup, host_teardown),
		cmocka_unit_test_setup_teardown(every_port, setup, host_teardown),
		cmocka_unit_test_setup_teardown(every_fifo_port, setup, host_teardown),
		cmocka_unit_test_setup_teardown(ports_kept_waiting, setup, host_teardown),
		cmocka_unit_test_setup_teardown(domain_limit, setup, host_teardown),
		cmocka_unit_test_setup_teardown(death, setup, host_teardown),
		cmocka_unit_test_setup_teardown(no_memory_for_ports, setup, host_teardown),
		cmocka_unit_test_setup_teardown(what_is_refused, setup, host_teardown),
		cmocka_unit_test_setup_teardown(scribbled_queues, setup, host_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

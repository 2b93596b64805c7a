/* SPDX-License-Identifier: MIT */
/*
 * What event channels shall do, in the plainest words: a table of ports for each domain, by abi/event_channel.md. Nothing is
 * shared with the code under test but the numbers of the ABI.
 */
#ifndef EVTCHN_MODEL_H
#define EVTCHN_MODEL_H

#define MODEL_PORTS 768
#define MODEL_PAGE 256		/* ports come into being by as many */
#define FIFO_PAGE 1024

struct mport {
	u8 status, vcpu, priority;
	u32 dom, number;	/* unbound, interdomain: the other domain; its port, or the virtual interrupt */
	bool pending, masked;	/* two-level */
	bool fifo_pending, fifo_masked, linked, deferred;
};

struct mqueue {
	u32 port[MODEL_PORTS];
	int length;
};

static struct mdomain {
	struct mport port[MODEL_PORTS];
	u32 ports;			/* those that exist, open or closed */
	bool fifo;
	u32 words;
	u64 sel[VCPUS];
	bool upcall[VCPUS], control[VCPUS];
	u32 ready[VCPUS], polls[VCPUS];
	struct mqueue queue[VCPUS][EVTCHN_FIFO_MAX_QUEUES];
	int kicks[VCPUS], wakes[VCPUS];
} model[DOMAINS];
static int caller_domain, caller_vcpu;

static void model_reset(void)
{
	memset(model, 0, sizeof(model));
	for (int d = 0; d < DOMAINS; d++)
		model[d].ports = MODEL_PAGE;
}

static struct mport *m_open_port(struct mdomain *m, u32 port)
{
	return port < m->ports && m->port[port].status != EVTCHNSTAT_closed ? &m->port[port] : NULL;
}

static bool m_per_vcpu(u32 virq)
{
	return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF || virq == VIRQ_XENPMU;
}

/* --- telling ---------------------------------------------------------------------------------------------------------- */

/* Only the caller needs no kick. */
static void m_upcall(struct mdomain *m, int v)
{
	bool is_caller = m == &model[caller_domain] && v == caller_vcpu;

	if (m->upcall[v])
		return;
	m->upcall[v] = true;
	m->kicks[v] += !is_caller;
}

static void m_wake_pollers(struct mdomain *m, u32 port)
{
	for (int v = 0; v < VCPUS; v++) {
		if (m->polls[v] != port && m->polls[v] != POLL_SEVERAL)
			continue;
		m->polls[v] = 0;
		m->wakes[v]++;
	}
}

static void m_select(struct mdomain *m, int v, u32 port)
{
	if (m->sel[v] >> port / 64 & 1)
		return;
	m->sel[v] |= 1ull << port / 64;
	m_upcall(m, v);
}

static void m_fifo_raise(struct mdomain *m, u32 port)
{
	struct mport *p = &m->port[port];
	struct mqueue *q = &m->queue[p->vcpu][p->priority];

	if (port >= m->words || !m->control[p->vcpu]) {
		p->deferred = true;
		return;
	}
	p->fifo_pending = true;
	if (p->fifo_masked || p->linked)
		return;
	p->linked = true;
	q->port[q->length++] = port;
	if (q->length > 1 || m->ready[p->vcpu] >> p->priority & 1)
		return;
	m->ready[p->vcpu] |= 1u << p->priority;
	m_upcall(m, p->vcpu);
}

static void m_raise(struct mdomain *m, u32 port)
{
	struct mport *p = &m->port[port];

	if (m->fifo) {
		m_fifo_raise(m, port);
	} else {
		if (p->pending)
			return;
		p->pending = true;
		if (!p->masked)
			m_select(m, p->vcpu, port);
	}
	m_wake_pollers(m, port);
}

/* --- operations: the result, or the new port --------------------------------------------------------------------------- */

static int m_open(struct mdomain *m, int status, int vcpu, u32 dom, u32 number)
{
	for (u32 port = 1; port < MODEL_PORTS; port++) {
		struct mport *p = &m->port[port];

		if (port >= m->ports)
			m->ports += MODEL_PAGE;
		if (p->status != EVTCHNSTAT_closed || (m->fifo && p->linked))
			continue;
		p->status = status;
		p->vcpu = vcpu;
		p->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
		p->dom = dom;
		p->number = number;
		return port;
	}
	return -ENOSPC;
}

static int m_bind_interdomain(int d, int rd, u32 rport)
{
	struct mport *r = m_open_port(&model[rd], rport);
	int port;

	if (!r || r->status != EVTCHNSTAT_unbound || r->dom != (u32)d)
		return -EINVAL;
	port = m_open(&model[d], EVTCHNSTAT_interdomain, 0, rd, rport);
	r->status = EVTCHNSTAT_interdomain;
	r->dom = d;
	r->number = port;
	m_raise(&model[d], port);
	return port;
}

/* The port that a virtual interrupt is bound to for a vCPU, or 0. */
static u32 m_virq_port(struct mdomain *m, u32 virq, int vcpu)
{
	for (u32 port = 1; port < m->ports; port++) {
		struct mport *p = &m->port[port];

		if (p->status == EVTCHNSTAT_virq && p->number == virq && (p->vcpu == vcpu || !m_per_vcpu(virq)))
			return port;
	}
	return 0;
}

static int m_bind_virq(struct mdomain *m, u32 virq, u32 vcpu)
{
	if (virq >= NR_VIRQS || (!m_per_vcpu(virq) && vcpu))
		return -EINVAL;
	if (vcpu >= VCPUS)
		return -ENOENT;
	if (m_virq_port(m, virq, vcpu))
		return -EEXIST;
	return m_open(m, EVTCHNSTAT_virq, vcpu, 0, virq);
}

static int m_bind_ipi(struct mdomain *m, u32 vcpu)
{
	return vcpu < VCPUS ? m_open(m, EVTCHNSTAT_ipi, vcpu, 0, 0) : -ENOENT;
}

static int m_close(int d, u32 port)
{
	struct mdomain *m = &model[d];
	struct mport *p = m_open_port(m, port);

	if (!p)
		return -EINVAL;
	if (p->status == EVTCHNSTAT_interdomain) {
		model[p->dom].port[p->number].status = EVTCHNSTAT_unbound;
		model[p->dom].port[p->number].dom = d;
	}
	p->status = EVTCHNSTAT_closed;
	p->vcpu = 0;
	p->deferred = false;
	*(m->fifo ? &p->fifo_pending : &p->pending) = false;
	return 0;
}

static int m_send(int d, u32 port)
{
	struct mport *p = m_open_port(&model[d], port);

	if (!p || p->status == EVTCHNSTAT_virq)
		return -EINVAL;
	if (p->status == EVTCHNSTAT_interdomain)
		m_raise(&model[p->dom], p->number);
	else if (p->status == EVTCHNSTAT_ipi)
		m_raise(&model[d], port);
	return 0;
}

static int m_unmask(struct mdomain *m, u32 port)
{
	struct mport *p;
	bool was;

	if (port >= m->ports)
		return -EINVAL;
	p = &m->port[port];
	if (m->fifo) {
		if (port < m->words)
			p->fifo_masked = false;
		if (p->fifo_pending)
			m_fifo_raise(m, port);
		return 0;
	}
	was = p->masked;
	p->masked = false;
	if (was && p->pending)
		m_select(m, p->vcpu, port);
	return 0;
}

static int m_bind_vcpu(struct mdomain *m, u32 port, u32 vcpu)
{
	struct mport *p = m_open_port(m, port);

	if (vcpu >= VCPUS)
		return -ENOENT;
	if (!p || p->status == EVTCHNSTAT_ipi || (p->status == EVTCHNSTAT_virq && m_per_vcpu(p->number)))
		return -EINVAL;
	p->vcpu = vcpu;
	return 0;
}

static int m_set_priority(struct mdomain *m, u32 port, u32 priority)
{
	if (port >= m->ports)
		return -EINVAL;
	if (!m->fifo)
		return -ENOSYS;
	if (priority > EVTCHN_FIFO_PRIORITY_MIN)
		return -EINVAL;
	m->port[port].priority = priority;
	return 0;
}

static void m_raise_deferred(struct mdomain *m)
{
	for (u32 port = 1; port < m->ports; port++) {
		if (!m->port[port].deferred)
			continue;
		m->port[port].deferred = false;
		m_fifo_raise(m, port);
	}
}

static int m_init_control(struct mdomain *m, u32 vcpu)
{
	if (vcpu >= VCPUS)
		return -ENOENT;
	if (m->control[vcpu])
		return -EINVAL;
	for (u32 port = 1; port < m->ports && !m->fifo; port++) {
		m->port[port].deferred = m->port[port].pending;
		m->port[port].pending = false;
	}
	m->fifo = true;
	m->control[vcpu] = true;
	m_raise_deferred(m);
	return 0;
}

static int m_expand_array(struct mdomain *m)
{
	if (!m->fifo)
		return -EOPNOTSUPP;
	m->words += FIFO_PAGE;
	m_raise_deferred(m);
	return 0;
}

static void m_reset(int d)
{
	struct mdomain *m = &model[d];

	for (u32 port = 1; port < m->ports; port++)
		m_close(d, port);
	if (!m->fifo)
		return;
	m->fifo = false;
	m->words = 0;
	memset(m->sel, 0, sizeof(m->sel));
	memset(m->control, 0, sizeof(m->control));
	memset(m->ready, 0, sizeof(m->ready));
	for (int v = 0; v < VCPUS; v++)
		for (int q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++)
			m->queue[v][q].length = 0;
	for (u32 port = 0; port < MODEL_PORTS; port++) {
		struct mport *p = &m->port[port];

		p->pending = p->fifo_pending = p->fifo_masked = p->linked = p->deferred = false;
	}
}

#endif

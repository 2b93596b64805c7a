/* SPDX-License-Identifier: MIT */
/* An event channel between two threads: a send before the wait is remembered, and a lost one shows as a wait of two minutes. */
#include <pthread.h>
#include <time.h>

struct port {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool pending;
	u32 sent;
};

#define PORT_INIT { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0 }

static void port_send(struct port *p)
{
	pthread_mutex_lock(&p->lock);
	p->pending = true;
	p->sent++;
	pthread_cond_signal(&p->cond);
	pthread_mutex_unlock(&p->lock);
}

static bool port_wait(struct port *p)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 120;
	pthread_mutex_lock(&p->lock);
	while (!p->pending && !err)
		err = pthread_cond_timedwait(&p->cond, &p->lock, &until);
	p->pending = false;
	pthread_mutex_unlock(&p->lock);
	return !err;
}

/* SPDX-License-Identifier: MIT */
/* Hosts and options. */
#include "app.h"
#include "lib.h"
#include "sched.h"
#include "stack.h"
#include "time.h"

#include <lwip/api.h>
#include <lwip/netif.h>

#define ADDRESS_PATIENCE (15 * NSEC_PER_SEC)	/* what DHCP may take */

const char *app_error(err_t err)
{
	static const char *const words[] = {
		[-ERR_OK] = "no error", [-ERR_MEM] = "out of memory", [-ERR_BUF] = "no buffer", [-ERR_TIMEOUT] = "no answer in time",
		[-ERR_RTE] = "no route there", [-ERR_INPROGRESS] = "in progress", [-ERR_VAL] = "not a value", [-ERR_WOULDBLOCK] = "not now",
		[-ERR_USE] = "the address is in use", [-ERR_ALREADY] = "already connecting", [-ERR_ISCONN] = "already connected",
		[-ERR_CONN] = "not connected", [-ERR_IF] = "the interface failed", [-ERR_ABRT] = "aborted", [-ERR_RST] = "refused",
		[-ERR_CLSD] = "closed", [-ERR_ARG] = "wrong argument",
	};

	return err <= 0 && -err < (int)ARRAY_SIZE(words) && words[-err] ? words[-err] : "unknown error";
}

static void await_address(bool ipv6)
{
	for (u64 end = now() + ADDRESS_PATIENCE; !stack_has_address(ipv6) && now() < end; )
		thread_sleep(20 * NSEC_PER_MSEC);
}

/* A link-local address without %INTERFACE is looked for on the first. */
static void choose_zone(ip_addr_t *address)
{
	stack_lock();
	if (IP_IS_V6(address) && ip6_addr_lacks_zone(ip_2_ip6(address), IP6_UNKNOWN) && netif_default)
		ip6_addr_assign_zone(ip_2_ip6(address), IP6_UNKNOWN, netif_default);
	stack_unlock();
}

bool app_resolve(const char *who, const char *host, ip_addr_t *address)
{
	bool number = ipaddr_aton(host, address);
	err_t err;

	stack_start();
	if (!number || !ip_addr_isloopback(address))
		await_address(number && IP_IS_V6(address));
	if (number) {
		choose_zone(address);
		return true;
	}
	err = netconn_gethostbyname(host, address);
	if (err != ERR_OK)
		printf("%s: %s: no such host (%s)\n", who, host, app_error(err));
	return err == ERR_OK;
}

static const struct app_option *find(const struct app_option *o, const char *word)
{
	while (o->name && strcmp(o->name, word))
		o++;
	return o->name ? o : NULL;
}

bool app_options(int *argc, char **argv, const struct app_option *options)
{
	int kept = 1;

	for (int i = 1; i < *argc; i++) {
		const struct app_option *o = find(options, argv[i]);

		if (!o) {
			if (argv[i][0] == '-')
				return false;
			argv[kept++] = argv[i];
		} else if (!o->number) {
			*o->given = true;
		} else if (++i == *argc || !parse_u64(argv[i], o->number)) {
			return false;
		}
	}
	*argc = kept;
	return true;
}

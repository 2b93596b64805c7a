/* SPDX-License-Identifier: MIT */
/* Hosts and options. */
#include "app.h"
#include "lib.h"

#include <lwip/api.h>

/* IPv6 addresses may have the interface behind a %. */
bool app_resolve(const char *who, const char *host, ip_addr_t *address)
{
	err_t err;

	if (ipaddr_aton(host, address))
		return true;
	err = netconn_gethostbyname(host, address);
	if (err != ERR_OK)
		printf("%s: %s: no such host (%s)\n", who, host, lwip_strerr(err));
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

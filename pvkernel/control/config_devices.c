/* SPDX-License-Identifier: MIT */
/*
 * The form of disk and vif specifications, as xl-disk-configuration(5) and xl-network-configuration(5) have them: words
 * between commas, key=value, or for a disk values in the order target, format, vdev, access. Pure functions.
 */
#include "../include/lib.h"
#include "config_devices.h"

struct word {
	const char *at;
	size_t length;
};

static bool is(struct word w, const char *text)
{
	return w.length == strlen(text) && !memcmp(w.at, text, w.length);
}

static bool is_one_of(struct word w, const char *const *list)
{
	for (; *list; list++) {
		if (is(w, *list))
			return true;
	}
	return false;
}

static struct word trim(struct word w)
{
	for (; w.length && *w.at == ' '; w.at++)
		w.length--;
	while (w.length && w.at[w.length - 1] == ' ')
		w.length--;
	return w;
}

/* The text up to the next comma; *text goes behind it, or becomes NULL. */
static struct word next_word(const char **text)
{
	const char *start = *text, *end = strchr(start, ',');

	*text = end ? end + 1 : NULL;
	return trim((struct word){ start, end ? (size_t)(end - start) : strlen(start) });
}

/* What is before '=' in key; w becomes what is behind it. An absent '=': false. */
static bool cut_key(struct word *w, struct word *key)
{
	for (size_t i = 0; i < w->length; i++) {
		if (w->at[i] == '=') {
			*key = trim((struct word){ w->at, i });
			*w = trim((struct word){ w->at + i + 1, w->length - i - 1 });
			return true;
		}
	}
	return false;
}

/* xvda, xvdb1, hda, sdc2, d0p1 */
static bool is_vdev(struct word w)
{
	static const char *const kinds[] = { "xvd", "hd", "sd", "d", NULL };
	const char *const *kind = kinds;
	size_t n;

	while (*kind && (w.length < strlen(*kind) || memcmp(w.at, *kind, strlen(*kind))))
		kind++;
	if (!*kind)
		return false;
	n = strlen(*kind);
	if (n == 1 ? w.length == n || w.at[n] < '0' || w.at[n] > '9' : w.length == n || w.at[n] < 'a' || w.at[n] > 'z')
		return false;
	for (; n < w.length; n++) {
		if (!((w.at[n] >= 'a' && w.at[n] <= 'z') || (w.at[n] >= '0' && w.at[n] <= '9')))
			return false;
	}
	return true;
}

static const char *const formats[] = { "raw", "qcow", "qcow2", "vhd", "qed", "", NULL };
static const char *const accesses[] = { "r", "ro", "w", "rw", "", NULL };

static const char *disk_value(unsigned int position, struct word w)
{
	switch (position) {
	case 1:
		return is_one_of(w, formats) ? NULL : "format raw, qcow, qcow2, vhd or qed";
	case 2:
		return is_vdev(w) ? NULL : "vdev xvdN, hdN, sdN or dN";
	case 3:
		return is_one_of(w, accesses) ? NULL : "access r, ro, w or rw";
	default:
		return NULL;
	}
}

const char *config_disk_expected(const char *text)
{
	static const char *const keys[] = { "target", "format", "vdev", "access" };
	static const char *const others[] = { "backendtype", "backend", "script", "devtype", "direct-io-safe", "discard", "cdrom",
					      "no-discard", NULL };
	/* The old form: phy:TARGET,VDEV,ACCESS. */
	bool old = !strncmp(text, "phy:", 4) || !strncmp(text, "file:", 5);
	unsigned int position = 0;
	bool vdev = false;

	while (text) {
		struct word w = next_word(&text), key = { 0 };
		unsigned int at = ARRAY_SIZE(keys);
		const char *expected;

		if (cut_key(&w, &key)) {
			for (at = 0; at < ARRAY_SIZE(keys) && !is(key, keys[at]); at++)
				;
			if (at == ARRAY_SIZE(keys) && !is_one_of(key, others))
				return "target, format, vdev, access, backendtype, script, devtype or discard before '='";
			if (!at)
				text = NULL;	/* a target by key is the last, commas and all */
		} else if (!is_one_of(w, others)) {
			if (position == ARRAY_SIZE(keys))
				return "at most target, format, vdev, access";
			at = position++;
			position += old && !at;
		}
		expected = disk_value(at, w);
		if (expected)
			return expected;
		vdev |= at == 2;
	}
	return vdev ? NULL : "target, format, vdev, access, of which vdev must be";
}

static bool is_mac(struct word w)
{
	for (size_t i = 0; i < w.length; i++) {
		char c = w.at[i] | 0x20;
		bool digit = (w.at[i] >= '0' && w.at[i] <= '9') || (c >= 'a' && c <= 'f');

		if (i % 3 == 2 ? w.at[i] != ':' : !digit)
			return false;
	}
	return w.length == 17;
}

const char *config_vif_expected(const char *text)
{
	static const char *const keys[] = { "mac", "bridge", "gatewaydev", "type", "model", "vifname", "script", "ip", "backend",
					    "rate", "devid", "mtu", "trusted", NULL };

	if (!*text)
		return NULL;
	while (text) {
		struct word w = next_word(&text), key;

		if (!w.length)
			continue;
		if (!cut_key(&w, &key) || !is_one_of(key, keys))
			return "key=value with a key such as mac, bridge, ip, rate, mtu";
		if (is(key, "mac") && !is_mac(w))
			return "mac=XX:XX:XX:XX:XX:XX";
	}
	return NULL;
}

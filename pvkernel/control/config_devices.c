/* SPDX-License-Identifier: MIT */
/*
 * Disk and vif specifications, as xl-disk-configuration(5), xl-network-configuration(5) and xen-vbd-interface(7) have them:
 * words between commas, key=value, or for a disk values in the order target, format, vdev, access. The keys rate and iops
 * of a disk, vlan, isolated and unlocked of a vif are ours. Each key is a function in a table; it returns what it expected, or NULL.
 */
#include "../include/lib.h"
#include "config_devices.h"

#define DEFAULT_BRIDGE "xenbr0"
#define DEFAULT_MTU 1500
#define DEFAULT_RATE_US 50000
#define VALUE_MAX 128

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

/* It goes into xenstore and onto a person's terminal. False: too long, or not printable. */
static bool copy(struct word w, char *to, size_t size)
{
	if (w.length >= size)
		return false;
	for (size_t i = 0; i < w.length; i++) {
		if ((u8)w.at[i] < ' ' || (u8)w.at[i] >= 0x7f)
			return false;
	}
	memcpy(to, w.at, w.length);
	to[w.length] = 0;
	return true;
}

/* Digits at the beginning of w, which goes behind them. False: none, or more than `max`. */
static bool digits(struct word *w, u64 max, u64 *value)
{
	size_t n = 0;

	for (*value = 0; n < w->length && w->at[n] >= '0' && w->at[n] <= '9'; n++) {
		*value = *value * 10 + (w->at[n] - '0');
		if (*value > max)
			return false;
	}
	w->at += n;
	w->length -= n;
	return n != 0;
}

static bool whole_number(struct word w, u64 max, u64 *value)
{
	return digits(&w, max, value) && !w.length;
}

static bool truth(struct word w, bool *value)
{
	*value = is(w, "1") || is(w, "yes") || is(w, "true");
	return *value || is(w, "0") || is(w, "no") || is(w, "false");
}

/* --- rates --- */

#define RATE_MAX 1000000000000ul

/* "50MB/s", "10Mb/s": bytes a second; K, M, G are powers of 1000. w goes behind it. */
static bool rate_per_second(struct word *w, u64 *bytes)
{
	static const char units[] = "KMG";
	u64 factor = 1;

	if (!digits(w, RATE_MAX, bytes) || !w->length)
		return false;
	for (int i = 0; units[i]; i++) {
		if (*w->at == units[i]) {
			for (int times = 0; times <= i; times++)
				factor *= 1000;
			w->at++;
			w->length--;
			break;
		}
	}
	if (w->length < 3 || (*w->at | 0x20) != 'b' || w->at[1] != '/' || w->at[2] != 's')
		return false;
	*bytes = *bytes * factor / (*w->at == 'b' ? 8 : 1);
	w->at += 3;
	w->length -= 3;
	return *bytes && *bytes <= RATE_MAX;
}

/* "@20ms": in microseconds. */
static bool rate_interval(struct word w, u32 *us)
{
	u64 n, factor;

	w.at++;
	w.length--;
	if (!digits(&w, 1000000, &n) || !n)
		return false;
	factor = is(w, "us") ? 1 : is(w, "ms") ? 1000 : is(w, "s") ? 1000000 : 0;
	*us = n * factor;
	return factor && n * factor <= 10000000;
}

/* --- disks --- */

enum { VDEV_MAX_EXTENDED = (1 << 20) - 1 };

/* xvd and d: sixteen disks with fifteen partitions have the old numbers, more and larger ones the new. */
static u32 xvd_number(u64 disk, u64 partition)
{
	return disk < 16 && partition < 16 ? 202u << 8 | disk << 4 | partition : 1u << 28 | disk << 8 | partition;
}

static u32 hd_number(u64 disk, u64 partition)
{
	return (disk < 2 ? 3u : 22u) << 8 | (disk & 1) << 6 | partition;
}

static u32 sd_number(u64 disk, u64 partition)
{
	return 8u << 8 | disk << 4 | partition;
}

static const struct vdev_kind {
	const char *prefix;
	u32 disks, partitions;		/* the highest of each */
	u32 (*number)(u64 disk, u64 partition);
} vdev_kinds[] = {
	{ "xvd", VDEV_MAX_EXTENDED, 255, xvd_number }, { "hd", 3, 63, hd_number }, { "sd", 15, 15, sd_number },
};

/* "a" is 0, "z" 25, "aa" 26. */
static bool disk_letters(struct word *w, u64 max, u64 *disk)
{
	size_t n = 0;

	for (*disk = 0; n < w->length && w->at[n] >= 'a' && w->at[n] <= 'z'; n++) {
		*disk = (n ? (*disk + 1) * 26 : 0) + (w->at[n] - 'a');
		if (*disk > max)
			return false;
	}
	w->at += n;
	w->length -= n;
	return n != 0;
}

static bool lettered_vdev(const struct vdev_kind *kind, struct word w, u32 *number)
{
	size_t n = strlen(kind->prefix);
	u64 disk, partition = 0;

	if (w.length <= n || memcmp(w.at, kind->prefix, n))
		return false;
	w.at += n;
	w.length -= n;
	if (!disk_letters(&w, kind->disks, &disk) || (w.length && !whole_number(w, kind->partitions, &partition)))
		return false;
	*number = kind->number(disk, partition);
	return true;
}

/* d0, d0p1 */
static bool numbered_vdev(struct word w, u32 *number)
{
	u64 disk, partition = 0;

	if (w.length < 2 || *w.at != 'd')
		return false;
	w.at++;
	w.length--;
	if (!digits(&w, VDEV_MAX_EXTENDED, &disk))
		return false;
	if (w.length) {
		if (*w.at != 'p')
			return false;
		w.at++;
		w.length--;
		if (!whole_number(w, 255, &partition))
			return false;
	}
	*number = xvd_number(disk, partition);
	return true;
}

static bool vdev(struct word w, u32 *number)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(vdev_kinds); i++) {
		if (lettered_vdev(&vdev_kinds[i], w, number))
			return true;
	}
	return numbered_vdev(w, number);
}

bool config_vdev(const char *text, u32 *number)
{
	struct word w = { text, strlen(text) };
	u64 value;

	if (!whole_number(w, 0x1fffffff, &value))
		return vdev(w, number);
	*number = value;
	return true;
}

static bool cut_prefix(struct word *w, const char *prefix)
{
	size_t n = strlen(prefix);

	if (w->length < n || memcmp(w->at, prefix, n))
		return false;
	w->at += n;
	w->length -= n;
	return true;
}

static const char *disk_target(struct disk_config *d, struct word w)
{
	if (cut_prefix(&w, "file:"))
		d->file = true;
	else if (!cut_prefix(&w, "phy:"))
		cut_prefix(&w, "raw:");
	return copy(w, d->target, sizeof(d->target)) ? NULL : "a target of at most 127 printable characters";
}

static const char *disk_format(struct disk_config *d, struct word w)
{
	static const char *const formats[] = { "raw", "", NULL };

	return is_one_of(w, formats) ? NULL : "format raw: no other is served here";
}

static const char *disk_vdev(struct disk_config *d, struct word w)
{
	return vdev(w, &d->number) && copy(w, d->vdev, sizeof(d->vdev)) ? NULL : "vdev xvdN, hdN, sdN or dN";
}

static const char *disk_access(struct disk_config *d, struct word w)
{
	static const char *const accesses[] = { "r", "ro", "w", "rw", "", NULL };

	d->readonly = w.length && *w.at == 'r' && !is(w, "rw");
	return is_one_of(w, accesses) ? NULL : "access r, ro, w or rw";
}

static const char *disk_type(struct disk_config *d, struct word w)
{
	d->cdrom = is(w, "cdrom");
	return d->cdrom || is(w, "disk") || !w.length ? NULL : "devtype=cdrom or disk";
}

static const char *disk_rate(struct disk_config *d, struct word w)
{
	return rate_per_second(&w, &d->rate) && !w.length ? NULL : "rate=NUMBER[KMG]B/s";
}

static const char *disk_iops(struct disk_config *d, struct word w)
{
	return whole_number(w, 1000000000, &d->iops) && d->iops ? NULL : "iops=NUMBER";
}

static const char *disk_backend(struct disk_config *d, struct word w)
{
	return is(w, "0") || is(w, "Domain-0") ? NULL : "backend=Domain-0: no other domain serves disks";
}

static const char *disk_specification(struct disk_config *d, struct word w)
{
	return is(w, "xen") ? NULL : "specification=xen";
}

/* For whoever opens the target elsewhere. Here the target itself says. */
static const char *disk_ignored(struct disk_config *d, struct word w)
{
	return NULL;
}

#define POSITIONS 4			/* the first of the table, in their order without a key */
#define VDEV_POSITION 2

static const struct disk_key {
	const char *name;
	const char *(*set)(struct disk_config *d, struct word w);
} disk_keys[] = {
	{ "target", disk_target }, { "format", disk_format }, { "vdev", disk_vdev }, { "access", disk_access },
	{ "devtype", disk_type }, { "rate", disk_rate }, { "iops", disk_iops }, { "backend", disk_backend },
	{ "backendtype", disk_ignored }, { "script", disk_ignored }, { "specification", disk_specification },
};

static bool disk_flag(struct disk_config *d, struct word w)
{
	const struct { const char *name; bool *flag, value; } flags[] = {
		{ "cdrom", &d->cdrom, true }, { "discard", &d->no_discard, false }, { "no-discard", &d->no_discard, true },
		{ "direct-io-safe", &d->direct_io_safe, true }, { "trusted", &d->untrusted, false },
		{ "untrusted", &d->untrusted, true },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
		if (is(w, flags[i].name)) {
			*flags[i].flag = flags[i].value;
			return true;
		}
	}
	return false;
}

static unsigned int disk_key(struct word key)
{
	unsigned int at = 0;

	while (at < ARRAY_SIZE(disk_keys) && !is(key, disk_keys[at].name))
		at++;
	return at;
}

/* PARTLABEL=name is a target for all its '='. */
static bool names_a_partition(struct word key)
{
	static const char label[] = "PARTLABEL";
	size_t n = sizeof(label) - 1;

	return key.length >= n && !memcmp(key.at + key.length - n, label, n);
}

const char *config_disk(const char *text, struct disk_config *d)
{
	/* The old form: phy:TARGET,VDEV,ACCESS. */
	bool old = !strncmp(text, "phy:", 4) || !strncmp(text, "file:", 5);
	unsigned int position = 0;

	memset(d, 0, sizeof(*d));
	while (text) {
		const char *rest = text, *expected;
		struct word w = next_word(&text), key = { 0 };
		unsigned int at;

		if (cut_key(&w, &key) && (at = disk_key(key)) < ARRAY_SIZE(disk_keys)) {
			if (!at) {	/* a target by key is the last, commas and all */
				w = trim((struct word){ strchr(rest, '=') + 1, strlen(strchr(rest, '=') + 1) });
				text = NULL;
			}
		} else if (key.at && (position || !names_a_partition(key))) {
			return "target, format, vdev, access, devtype, rate or iops before '='";
		} else if (disk_flag(d, w)) {
			continue;
		} else if (position == POSITIONS) {
			return "at most target, format, vdev, access";
		} else {
			if (key.at)
				w = (struct word){ key.at, w.at + w.length - key.at };
			at = position++;
			position += old && !at;
		}
		expected = disk_keys[at].set(d, w);
		if (expected)
			return expected;
	}
	d->readonly |= d->cdrom;
	return *d->vdev && *d->target ? NULL : "target, format, vdev, access, of which target and vdev must be";
}

/* --- network interfaces --- */

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool config_mac(const char *text, u8 mac[6])
{
	for (int i = 0; i < 6; i++, text += 3) {
		if (nibble(text[0]) < 0 || nibble(text[1]) < 0 || text[2] != (i == 5 ? 0 : ':'))
			return false;
		mac[i] = nibble(text[0]) << 4 | nibble(text[1]);
	}
	return true;
}

static const char *vif_mac(struct vif_config *v, const char *value)
{
	v->has_mac = config_mac(value, v->mac);
	if (!v->has_mac)
		return "mac=XX:XX:XX:XX:XX:XX";
	return v->mac[0] & 1 ? "a mac of one interface, not a group's" : NULL;
}

static const char *vif_text(char *to, const char *value)
{
	return copy((struct word){ value, strlen(value) }, to, VIF_WORD_MAX) ? NULL : "at most 47 printable characters";
}

static const char *vif_bridge(struct vif_config *v, const char *value)
{
	return vif_text(v->bridge, value);
}

static const char *vif_ip(struct vif_config *v, const char *value)
{
	return vif_text(v->ip, value);
}

static const char *vif_name(struct vif_config *v, const char *value)
{
	return vif_text(v->vifname, value);
}

static const char *vif_rate(struct vif_config *v, const char *value)
{
	struct word w = { value, strlen(value) };
	u64 second;

	v->rate_us = DEFAULT_RATE_US;
	if (!rate_per_second(&w, &second) || (w.length && (*w.at != '@' || !rate_interval(w, &v->rate_us))))
		return "rate=NUMBER[KMG]B/s or b/s, perhaps with @NUMBERms";
	v->rate = second * v->rate_us / 1000000;
	return v->rate ? NULL : "a rate of at least a byte in each interval";
}

static const char *vif_number(const char *value, u32 min, u32 max, u32 *to, const char *expected)
{
	u64 n;

	if (!whole_number((struct word){ value, strlen(value) }, max, &n) || n < min)
		return expected;
	*to = n;
	return NULL;
}

static const char *vif_mtu(struct vif_config *v, const char *value)
{
	return vif_number(value, VIF_MTU_MIN, VIF_MTU_MAX, &v->mtu, "mtu=NUMBER from 68 to 65521");
}

static const char *vif_vlan(struct vif_config *v, const char *value)
{
	return vif_number(value, 1, VLAN_MAX, &v->vlan, "vlan=NUMBER from 1 to 4094");
}

static const char *vif_devid(struct vif_config *v, const char *value)
{
	return vif_number(value, 0, 255, &v->devid, "devid=NUMBER from 0 to 255");
}

static const char *vif_isolated(struct vif_config *v, const char *value)
{
	return truth((struct word){ value, strlen(value) }, &v->isolated) ? NULL : "isolated=1 or 0";
}

static const char *vif_unlocked(struct vif_config *v, const char *value)
{
	return truth((struct word){ value, strlen(value) }, &v->unlocked) ? NULL : "unlocked=1 or 0";
}

static const char *vif_trusted(struct vif_config *v, const char *value)
{
	bool trusted;

	if (!truth((struct word){ value, strlen(value) }, &trusted))
		return "trusted=1 or 0";
	v->untrusted = !trusted;
	return NULL;
}

static const char *vif_backend(struct vif_config *v, const char *value)
{
	return !strcmp(value, "0") || !strcmp(value, "Domain-0") ? NULL : "backend=Domain-0: no other domain has a switch";
}

static const char *vif_ignored(struct vif_config *v, const char *value)
{
	return NULL;
}

static const struct vif_key {
	const char *name;
	const char *(*set)(struct vif_config *v, const char *value);
} vif_keys[] = {
	{ "mac", vif_mac }, { "bridge", vif_bridge }, { "ip", vif_ip }, { "vifname", vif_name }, { "rate", vif_rate },
	{ "mtu", vif_mtu }, { "vlan", vif_vlan }, { "devid", vif_devid }, { "isolated", vif_isolated },
	{ "unlocked", vif_unlocked },
	{ "trusted", vif_trusted }, { "backend", vif_backend }, { "script", vif_ignored }, { "type", vif_ignored },
	{ "model", vif_ignored }, { "gatewaydev", vif_ignored },
};

static const char *vif_word(struct vif_config *v, struct word w)
{
	char value[VALUE_MAX];
	struct word key;

	if (is(w, "trusted") || is(w, "untrusted")) {
		v->untrusted = *w.at == 'u';
		return NULL;
	}
	if (cut_key(&w, &key) && copy(w, value, sizeof(value))) {
		for (unsigned int i = 0; i < ARRAY_SIZE(vif_keys); i++) {
			if (is(key, vif_keys[i].name))
				return vif_keys[i].set(v, value);
		}
	}
	return "key=value with a key such as mac, bridge, ip, rate, mtu, vlan, isolated, unlocked";
}

const char *config_vif(const char *text, struct vif_config *v)
{
	*v = (struct vif_config){ .devid = VIF_DEVID_ANY, .bridge = DEFAULT_BRIDGE, .mtu = DEFAULT_MTU };
	while (text) {
		struct word w = next_word(&text);
		const char *expected = w.length ? vif_word(v, w) : NULL;

		if (expected)
			return expected;
	}
	return NULL;
}

/* FNV-1a over the identity: what differs in one byte differs in the address. */
void config_generate_mac(const u8 uuid[16], u32 devid, u8 mac[6])
{
	u32 hash = 2166136261u;

	for (int i = 0; i < 16; i++)
		hash = (hash ^ uuid[i]) * 16777619u;
	hash = (hash ^ devid) * 16777619u;
	mac[0] = 0x00;
	mac[1] = 0x16;
	mac[2] = 0x3e;
	mac[3] = (hash >> 16 ^ hash >> 24) & 0x7f;
	mac[4] = hash >> 8;
	mac[5] = hash;
}

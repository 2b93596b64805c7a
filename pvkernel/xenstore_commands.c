/* SPDX-License-Identifier: MIT */
/*
 * Commands on xenstore, by the names, options and output of the usual tools of that name. Values are shown
 * with \t \n \r \\ and \xHH for what is no printable character, and read with the same.
 */
#include <abi/errno.h>

#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "sched.h"
#include "shell.h"
#include "xenstore.h"

#define XS_COMMAND(id, function, text) \
	static const struct command command_xenstore_##id \
		__attribute__((used, aligned(8), section(".command_table.xenstore-" #id))) = { \
		.name = "xenstore-" #id, .fn = function, .help = text, \
	}

#define PATH_SIZE (XENSTORE_ABS_PATH_MAX + 1)
#define LIST_SIZE 65536u		/* bytes of names in one directory */
#define PERMS_SIZE 256

/* --- options and values ----------------------------------------------------------------------- */

/* Letters given, as bits of where they stand in allowed; ~0: another one. *first: the word after them. */
static u32 options(int argc, char **argv, const char *allowed, int *first)
{
	u32 given = 0;

	for (*first = 1; *first < argc && argv[*first][0] == '-' && argv[*first][1]; ++*first) {
		for (const char *o = argv[*first] + 1; *o; o++) {
			const char *at = strchr(allowed, *o);

			if (!at)
				return ~0u;
			given |= 1u << (at - allowed);
		}
	}
	return given;
}

static int usage(const char *text)
{
	printf("usage: %s\n", text);
	return 2;
}

static int failed(const char *what, const char *path, int err)
{
	printf("could not %s %s (%d)\n", what, path, err);
	return 1;
}

static void print_byte(u8 c)
{
	static const char letters[] = "\tt\nn\rr\\\\";

	for (int i = 0; letters[i]; i += 2) {
		if (letters[i] == (char)c) {
			printf("\\%c", letters[i + 1]);
			return;
		}
	}
	if (c >= ' ' && c <= '~')
		printf("%c", c);
	else
		printf("\\x%02x", c);
}

static void print_value(const char *value, int length, bool raw)
{
	for (int i = 0; i < length; i++) {
		if (raw)
			printf("%c", value[i]);
		else
			print_byte(value[i]);
	}
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* The other way round, in place; the new length. What is no escape stays as it is. */
static u32 unescape(char *text)
{
	u32 n = 0;

	for (const char *s = text; *s; s++) {
		if (*s != '\\' || !s[1]) {
			text[n++] = *s;
		} else if (s[1] == 'x' && hex(s[2]) >= 0 && hex(s[3]) >= 0) {
			text[n++] = hex(s[2]) << 4 | hex(s[3]);
			s += 3;
		} else {
			const char *at = strchr("t\tn\nr\r\\\\", *++s);

			text[n++] = at ? at[1] : *s;
		}
	}
	return n;
}

/* --- walking ---------------------------------------------------------------------------------- */

/* A walk over a tree: names of one directory of each level, and where in them it is. */
struct level {
	struct level *up;
	u32 path_length;		/* of the directory */
	int used, at;
	char names[];
};

struct walk {
	char path[PATH_SIZE];
	u32 depth;			/* names below the start */
	struct level *level;
};

static int walk_into(struct walk *w)
{
	struct level *l = kmalloc(sizeof(*l) + LIST_SIZE), *small;
	int n = l ? xs_directory(XS_NO_TX, w->path, l->names, LIST_SIZE) : -ENOMEM;

	small = n > 0 ? kmalloc(sizeof(*l) + n) : NULL;
	if (small)
		memcpy(small->names, l->names, n);
	kfree(l);
	if (n <= 0 || !small)
		return n < 0 ? n : n ? -ENOMEM : 0;
	small->up = w->level;
	small->used = n;
	small->path_length = strlen(w->path);
	w->level = small;
	return 0;
}

static void walk_out(struct walk *w)
{
	struct level *l = w->level;

	w->path[l->path_length] = 0;
	w->level = l->up;
	kfree(l);
}

/* The next node in w->path and w->depth, parents first. 0: no more. The list of one that went meanwhile is empty. */
static int walk_next(struct walk *w)
{
	walk_into(w);
	while (w->level) {
		struct level *l = w->level;
		const char *name = l->names + l->at;

		if (l->at >= l->used || l->path_length + strlen(name) + 2 > PATH_SIZE) {
			walk_out(w);
			continue;
		}
		w->path[l->path_length] = 0;
		snprintf(w->path + l->path_length, PATH_SIZE - l->path_length, "%s%s",
			 l->path_length == 1 && w->path[0] == '/' ? "" : "/", name);
		l->at += strlen(name) + 1;
		w->depth = 0;
		for (; l; l = l->up)
			w->depth++;
		return 1;
	}
	return 0;
}

static struct walk *walk_start(const char *path)
{
	struct walk *w = strlen(path) < PATH_SIZE ? kmalloc(sizeof(*w)) : NULL;

	if (w)
		memcpy(w->path, path, strlen(path) + 1);
	return w;
}

static void walk_end(struct walk *w)
{
	while (w->level)
		walk_out(w);
	kfree(w);
}

/* --- xenstore-ls ------------------------------------------------------------------------------ */

static void print_perms(const char *path)
{
	char perms[PERMS_SIZE];
	int n = xs_get_perms(XS_NO_TX, path, perms, sizeof(perms));

	if (n < 0)
		return;
	printf("   (");
	for (int at = 0; at < n; at += strlen(perms + at) + 1)
		printf("%s%s", at ? "," : "", perms + at);
	printf(")");
}

static void print_node(const struct walk *w, char *value, bool full, bool perms)
{
	const char *name = w->path + strlen(w->path);
	int n = xs_read(XS_NO_TX, w->path, value, XENSTORE_PAYLOAD_MAX + 1);

	while (!full && name[-1] != '/')
		name--;
	printf("%*s%s", full ? 0 : (int)w->depth - 1, "", full ? w->path : name);
	if (n < 0) {
		printf(": could not read (%d)", n);
	} else {
		printf(" = \"");
		print_value(value, n, false);
		printf("\"");
	}
	if (perms)
		print_perms(w->path);
	printf("\n");
}

static int list_tree(const char *path, char *value, bool full, bool perms)
{
	struct walk *w = walk_start(path);
	char none[1];
	int err = w ? xs_directory(XS_NO_TX, path, none, sizeof(none)) : -ENOMEM;

	while (w && walk_next(w))
		print_node(w, value, full, perms);
	if (w)
		walk_end(w);
	return err < 0 && err != -E2BIG ? failed("list", path, err) : 0;
}

static int cmd_ls(int argc, char **argv)
{
	int i, err = 0;
	u32 o = options(argc, argv, "fp", &i);
	char *value;

	if (o == ~0u)
		return usage("xenstore-ls [-f] [-p] [PATH]...");
	value = kmalloc(XENSTORE_PAYLOAD_MAX + 1);
	if (!value)
		return failed("list", "anything", -ENOMEM);
	if (i == argc)
		err = list_tree("/", value, o & 1, o & 2);
	for (; i < argc; i++)
		err |= list_tree(argv[i], value, o & 1, o & 2);
	kfree(value);
	return err;
}
XS_COMMAND(ls, cmd_ls, "[-f] [-p] [PATH]...: the tree, with full paths (-f), permissions (-p)");

/* --- one node --------------------------------------------------------------------------------- */

static int cmd_read(int argc, char **argv)
{
	int i, n;
	u32 o = options(argc, argv, "pR", &i);
	char *value;

	if (o == ~0u || i == argc)
		return usage("xenstore-read [-p] [-R] PATH...");
	value = kmalloc(XENSTORE_PAYLOAD_MAX + 1);
	for (n = value ? 0 : -ENOMEM; i < argc && n >= 0; i++) {
		n = xs_read(XS_NO_TX, argv[i], value, XENSTORE_PAYLOAD_MAX + 1);
		if (n < 0)
			break;
		if (o & 1)
			printf("%s: ", argv[i]);
		print_value(value, n, o & 2);
		printf("\n");
	}
	kfree(value);
	return n < 0 ? failed("read", argv[i], n) : 0;
}
XS_COMMAND(read, cmd_read, "[-p] [-R] PATH...: values, with their paths (-p), as they are (-R)");

#define PAIRS_MAX 16

static int write_pairs(u32 tx, int count, char **words, const u32 *lengths)
{
	int err = 0;

	for (int i = 0; i < count && !err; i++)
		err = xs_write_bytes(tx, words[2 * i], words[2 * i + 1], lengths[i]);
	return err;
}

/* One try; -EAGAIN when the transaction met another's writes. */
static int write_once(int count, char **words, const u32 *lengths)
{
	u32 tx;
	int err = xs_transaction_start(&tx);

	if (err)
		return err;
	err = write_pairs(tx, count, words, lengths);
	if (!err)
		return xs_transaction_end(tx, true);
	xs_transaction_end(tx, false);
	return err;
}

/* Values lose their escapes once, and keep their lengths for the next try. */
static int cmd_write(int argc, char **argv)
{
	u32 lengths[PAIRS_MAX], o;
	int i, count, err;

	o = options(argc, argv, "R", &i);
	count = o == ~0u ? 0 : (argc - i) / 2;
	if (!count || (argc - i) % 2 || count > PAIRS_MAX)
		return usage("xenstore-write [-R] PATH VALUE..., at most 16 of them");
	for (int n = 0; n < count; n++)
		lengths[n] = o & 1 ? strlen(argv[i + 2 * n + 1]) : unescape(argv[i + 2 * n + 1]);
	do
		err = write_once(count, argv + i, lengths);
	while (err == -EAGAIN);
	return err ? failed("write", argv[i], err) : 0;
}
XS_COMMAND(write, cmd_write, "[-R] PATH VALUE...: all in one transaction; no escapes (-R)");

/* Parents that have become empty go too. */
static void tidy(char *path)
{
	char none[1];

	for (char *end = path + strlen(path); end > path; end--) {
		if (*end != '/')
			continue;
		*end = 0;
		if (!*path || xs_directory(XS_NO_TX, path, none, sizeof(none)) || xs_read(XS_NO_TX, path, none, sizeof(none)) ||
		    xs_rm(XS_NO_TX, path))
			return;
	}
}

static int cmd_rm(int argc, char **argv)
{
	int i, err;
	u32 o = options(argc, argv, "t", &i);

	if (o == ~0u || i == argc)
		return usage("xenstore-rm [-t] PATH...");
	for (; i < argc; i++) {
		char none[1];

		/* The request itself does not mind a missing node; the tool does. */
		err = xs_read(XS_NO_TX, argv[i], none, sizeof(none));
		if (err >= 0 || err == -E2BIG)
			err = xs_rm(XS_NO_TX, argv[i]);
		if (err)
			return failed("remove", argv[i], err);
		if (o & 1)
			tidy(argv[i]);
	}
	return 0;
}
XS_COMMAND(rm, cmd_rm, "[-t] PATH...: with all below, and parents that become empty (-t)");

static int cmd_mkdir(int argc, char **argv)
{
	if (argc < 2)
		return usage("xenstore-mkdir PATH...");
	for (int i = 1; i < argc; i++) {
		int err = xs_mkdir(XS_NO_TX, argv[i]);

		if (err)
			return failed("make", argv[i], err);
	}
	return 0;
}
XS_COMMAND(mkdir, cmd_mkdir, "PATH...: nodes with empty values");

static int list_names(const char *path, char *names, bool full)
{
	int n = xs_directory(XS_NO_TX, path, names, LIST_SIZE);

	for (int at = 0; at < n; at += strlen(names + at) + 1)
		printf("%s%s%s\n", full ? path : "", full && path[1] ? "/" : "", names + at);
	return n;
}

static int cmd_list(int argc, char **argv)
{
	int i, n = -ENOMEM;
	u32 o = options(argc, argv, "p", &i);
	char *names;

	if (o == ~0u || i == argc)
		return usage("xenstore-list [-p] PATH...");
	names = kmalloc(LIST_SIZE);
	for (; i < argc && names; i++) {
		n = list_names(argv[i], names, o & 1);
		if (n < 0)
			break;
	}
	kfree(names);
	return n < 0 ? failed("list", argv[i], n) : 0;
}
XS_COMMAND(list, cmd_list, "[-p] PATH...: names of children, with their paths (-p)");

static int cmd_exists(int argc, char **argv)
{
	char none[1];

	if (argc < 2)
		return usage("xenstore-exists PATH...");
	for (int i = 1; i < argc; i++) {
		int n = xs_read(XS_NO_TX, argv[i], none, sizeof(none));

		if (n < 0 && n != -E2BIG)
			return 1;
	}
	return 0;
}
XS_COMMAND(exists, cmd_exists, "PATH...: whether all of them do");

/* --- xenstore-chmod --------------------------------------------------------------------------- */

static int chmod_parents(char *path, const char *perms, u32 length)
{
	int err = 0;

	for (char *end = path + strlen(path) - 1; end > path && !err; end--) {
		if (*end == '/') {
			*end = 0;
			err = xs_set_perms(XS_NO_TX, path, perms, length);
		}
	}
	return err;
}

static int chmod_children(const char *path, const char *perms, u32 length)
{
	struct walk *w = walk_start(path);
	int err = w ? 0 : -ENOMEM;

	while (!err && walk_next(w))
		err = xs_set_perms(XS_NO_TX, w->path, perms, length);
	if (w)
		walk_end(w);
	return err;
}

static int cmd_chmod(int argc, char **argv)
{
	char perms[PERMS_SIZE];
	u32 n = 0, o;
	int i, err;

	o = options(argc, argv, "ru", &i);
	if (o == ~0u || argc - i < 2)
		return usage("xenstore-chmod [-r] [-u] PATH PERM...");
	for (int p = i + 1; p < argc && n + strlen(argv[p]) < sizeof(perms); p++) {
		memcpy(perms + n, argv[p], strlen(argv[p]) + 1);
		n += strlen(argv[p]) + 1;
	}
	err = xs_set_perms(XS_NO_TX, argv[i], perms, n);
	if (!err && o & 1)
		err = chmod_children(argv[i], perms, n);
	if (!err && o & 2)
		err = chmod_parents(argv[i], perms, n);
	return err ? failed("set the permissions of", argv[i], err) : 0;
}
XS_COMMAND(chmod, cmd_chmod, "[-r] [-u] PATH PERM...: such as n0 r5; of all below (-r), of its parents (-u)");

/* --- xenstore-watch --------------------------------------------------------------------------- */

struct watching {
	struct wait_queue moved;
	u64 left;
};

static void seen(void *arg, const char *path)
{
	struct watching *w = arg;
	bool irq;

	if (!w->left)
		return;
	printf("%s\n", path);
	irq = irq_save();
	w->left--;
	wake_up(&w->moved);
	irq_restore(irq);
}

static int cmd_watch(int argc, char **argv)
{
	struct watching w = { .moved = WAIT_QUEUE_INIT(w.moved), .left = ~0ul };
	struct xs_watch watch = { .fn = seen, .arg = &w };
	int i = 1, err;
	bool irq;

	if (argc > 2 && !strcmp(argv[1], "-n")) {
		if (!parse_u64(argv[2], &w.left))
			return usage("xenstore-watch [-n NUMBER] PATH");
		i = 3;
	}
	if (argc != i + 1)
		return usage("xenstore-watch [-n NUMBER] PATH");
	err = xs_watch(argv[i], &watch);
	if (err)
		return failed("watch", argv[i], err);
	irq = irq_save();
	while (w.left)
		wait_on(&w.moved);
	irq_restore(irq);
	xs_unwatch(argv[i], &watch);
	return 0;
}
XS_COMMAND(watch, cmd_watch, "[-n NUMBER] PATH: paths that change, the first is PATH itself; for ever, or so many");

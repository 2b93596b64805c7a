/* SPDX-License-Identifier: MIT */
/*
 * Xenstore as one would write it without a care for time: an array of paths, copied whole where a state is to be kept.
 * A change that the store makes in a transaction is here made again at its commit, by the same request.
 */
#define MODEL_NODES 600
#define MODEL_VALUE 24

struct model_node {
	char path[64];
	char value[MODEL_VALUE];
	int length;
	struct xs_perms perms;
};

struct model {
	int count;
	struct model_node node[MODEL_NODES];	/* in the order of creation */
};

static struct model_node *model_find(struct model *m, const char *path)
{
	for (int i = 0; i < m->count; i++) {
		if (!strcmp(m->node[i].path, path))
			return &m->node[i];
	}
	return NULL;
}

static void model_parent(const char *path, char *parent)
{
	char *slash;

	memmove(parent, path, strlen(path) + 1);
	slash = strrchr(parent, '/');
	slash[slash == parent] = 0;
}

static bool model_is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return !strcmp(top, "/") || (!strncmp(path, top, n) && (!path[n] || path[n] == '/'));
}

static int model_access(const struct xs_perms *p, u16 domid)
{
	if (!domid || p->entry[0].domid == domid)
		return 7;
	for (u32 i = 1; i < p->count; i++) {
		if (p->entry[i].domid == domid)
			return p->entry[i].access;
	}
	return p->entry[0].access;
}

static int model_get(struct model *m, u16 domid, const char *path, int access, struct model_node **n)
{
	char at[64];
	struct model_node *judge;

	*n = model_find(m, path);
	strcpy(at, path);
	for (judge = *n; !judge; judge = model_find(m, at))
		model_parent(at, at);
	if (!*n)
		return model_access(&judge->perms, domid) & access || !access ? -ENOENT : -EACCES;
	return (model_access(&judge->perms, domid) & access) == access ? 0 : -EACCES;
}

static struct model_node *model_create(struct model *m, u16 domid, const char *path)
{
	char parent[64];
	struct model_node *n = model_find(m, path);

	if (n)
		return n;
	model_parent(path, parent);
	n = model_create(m, domid, parent);
	m->node[m->count] = (struct model_node){ .perms = n->perms };
	n = &m->node[m->count++];
	strcpy(n->path, path);
	if (domid)
		n->perms.entry[0].domid = domid;
	return n;
}

static void model_remove(struct model *m, const char *path)
{
	int kept = 0;

	for (int i = 0; i < m->count; i++) {
		if (!model_is_below(m->node[i].path, path))
			m->node[kept++] = m->node[i];
	}
	m->count = kept;
}

static void model_forget(struct model *m, u16 domid)
{
	for (int i = 0; i < m->count; i++) {
		char path[64];

		if (m->node[i].perms.entry[0].domid == domid) {
			strcpy(path, m->node[i].path);
			model_remove(m, path);
			i = -1;
		}
	}
	for (int i = 0; i < m->count; i++)
		perms_forget(&m->node[i].perms, domid);
}

static int model_owned(const struct model *m, u16 domid)
{
	int n = 0;

	for (int i = 0; i < m->count; i++)
		n += m->node[i].perms.entry[0].domid == domid;
	return n;
}

static int model_names(struct model *m, const char *path, char *reply)
{
	int used = 0;

	for (int i = 0; i < m->count; i++) {
		char parent[64];

		model_parent(m->node[i].path, parent);
		if (strcmp(m->node[i].path, "/") && !strcmp(parent, path))
			used += sprintf(reply + used, "%s", strrchr(m->node[i].path, '/') + 1) + 1;
	}
	return used;
}

static int model_change(struct model *m, u16 domid, u32 type, const char *path, const void *value, int length, struct model_node *n, int err)
{
	char parent[64];

	switch (type) {
	case XS_MKDIR:
		if (err == -ENOENT)
			model_create(m, domid, path);
		return 0;
	case XS_WRITE:
		n = model_create(m, domid, path);
		memcpy(n->value, value, length);
		n->length = length;
		return 0;
	default:
		if (!err) {
			model_remove(m, path);
			return 0;
		}
		model_parent(path, parent);
		return model_find(m, parent) ? 0 : -ENOENT;
	}
}

/* The same as a request: length of the reply's payload or -errno. */
static int model_ask(struct model *m, u16 domid, u32 type, const char *path, const void *value, int length, char *reply)
{
	static const int access[XS_TYPE_COUNT] = {
		[XS_READ] = 1, [XS_GET_PERMS] = 1, [XS_DIRECTORY] = 1, [XS_WRITE] = 2, [XS_MKDIR] = 2, [XS_RM] = 2, [XS_SET_PERMS] = 6,
	};
	struct model_node *n;
	struct xs_perms perms;
	int err = model_get(m, domid, path, access[type], &n);

	strcpy(reply, "OK");
	if (type == XS_WRITE || type == XS_MKDIR || type == XS_RM) {
		if (err && err != -ENOENT)
			return err;
		err = model_change(m, domid, type, path, value, length, n, err);
		return err ? err : 3;
	}
	if (err)
		return err;
	if (type == XS_SET_PERMS) {
		perms_parse(&perms, value, length);
		if (domid && perms.entry[0].domid != n->perms.entry[0].domid)
			return -EPERM;
		n->perms = perms;
		return 3;
	}
	if (type == XS_READ) {
		memcpy(reply, n->value, n->length);
		return n->length;
	}
	return type == XS_DIRECTORY ? model_names(m, path, reply) : (int)perms_print(&n->perms, reply);
}

/* SPDX-License-Identifier: MIT */
/*
 * Paths. An absolute one is "/" or names, each with a "/" in front, of letters, digits and - _ @. What does not
 * start with "/" or "@" is relative to the client's home. "@..." names no node below the root but something that happens.
 */
#include "store.h"

static bool allowed(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '@' || c == '/';
}

static bool well_formed(const char *path, u32 length)
{
	if (length > 1 && path[length - 1] == '/')
		return false;
	for (u32 i = 0; i < length; i++) {
		if (!allowed(path[i]) || (i && path[i] == '/' && path[i - 1] == '/'))
			return false;
	}
	return length != 0;
}

int path_resolve(const char *sent, u16 domid, path_t path, u32 *skip)
{
	u32 length = strlen(sent);
	bool absolute = sent[0] == '/' || sent[0] == '@';

	*skip = 0;
	if (!well_formed(sent, length) || length > (absolute ? XENSTORE_ABS_PATH_MAX : XENSTORE_REL_PATH_MAX))
		return -EINVAL;
	if (!absolute)
		*skip = snprintf(path, XENSTORE_ABS_PATH_MAX, "/local/domain/%u/", domid);
	memcpy(path + *skip, sent, length + 1);
	return 0;
}

const char *path_name(const char **rest, u32 *length)
{
	const char *name = *rest + (**rest == '/');

	for (*length = 0; name[*length] && name[*length] != '/'; ++*length)
		;
	*rest = name + *length;
	return *length ? name : NULL;
}

u32 path_parent(const char *path)
{
	u32 end = strlen(path);

	while (end > 1 && path[end - 1] != '/')
		end--;
	return end > 1 ? end - 1 : 1;
}

bool parse_decimal(const char *s, u64 max, u64 *val)
{
	return s[0] >= '0' && s[0] <= '9' && (s[1] | 0x20) != 'x' && parse_u64(s, val) && *val <= max;
}

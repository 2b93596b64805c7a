/* SPDX-License-Identifier: MIT */
/* JSON on the console. Commas are put where they belong; a key is NULL within a list. */
#ifndef CTL_JSON_H
#define CTL_JSON_H

#include "../include/types.h"

struct json {
	bool comma;			/* before the next value of the innermost list or object */
};

void json_open(struct json *j, const char *key, char bracket);	/* '{' or '[' */
void json_close(struct json *j, char bracket);
void json_number(struct json *j, const char *key, u64 value);
void json_bool(struct json *j, const char *key, bool value);
void json_string(struct json *j, const char *key, const char *value);
void json_end(struct json *j);		/* of the whole: a newline */

#endif

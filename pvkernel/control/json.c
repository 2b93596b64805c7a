/* SPDX-License-Identifier: MIT */
/* Invariant: what has been printed, with the brackets that are open closed, is well formed. */
#include "../include/lib.h"
#include "json.h"

static void quote(const char *text)
{
	printf("\"");
	for (; *text; text++) {
		u8 c = *text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			printf("\\u%04x", c);
		else
			printf("%c", c);
	}
	printf("\"");
}

static void begin(struct json *j, const char *key)
{
	if (j->comma)
		printf(", ");
	j->comma = true;
	if (key) {
		quote(key);
		printf(": ");
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	begin(j, key);
	printf("%c", bracket);
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	printf("%c", bracket);
	j->comma = true;
}

void json_number(struct json *j, const char *key, u64 value)
{
	begin(j, key);
	printf("%lu", value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	printf(value ? "true" : "false");
}

void json_string(struct json *j, const char *key, const char *value)
{
	begin(j, key);
	quote(value);
}

void json_end(struct json *j)
{
	printf("\n");
	j->comma = false;
}

/* SPDX-License-Identifier: MIT */
/* A script is the shell's commands, a copy of which is cut into words. */
#include <abi/errno.h>

#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/shell.h"
#include "autostart.h"
#include "options.h"
#include "ramdisk.h"

#define MAX_DEPTH 8u		/* of scripts that run scripts, on one stack */

int script_run(const char *file)
{
	static unsigned int depth;
	const struct ramdisk_file *f = ramdisk_find(file);
	char *text;
	int status;

	if (!f)
		return -ENOENT;
	if (depth == MAX_DEPTH)
		return -E2BIG;
	text = kmalloc(f->size + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text, f->data, f->size);
	text[f->size] = 0;
	depth++;
	status = shell_run(text);
	depth--;
	kfree(text);
	return status;
}

void autostart_run(void)
{
	if (script_run("autostart") == -ENOMEM)
		printf("autostart: no memory for a copy of it\n");
}

static int cmd_source(int argc, char **argv)
{
	int status;

	if (argc != 2)
		return usage("source", "FILE");
	status = script_run(argv[1]);
	if (status == -ENOENT)
		printf("source: %s: no such file in the ramdisk\n", argv[1]);
	if (status == -E2BIG)
		printf("source: %s: more than %u scripts within each other\n", argv[1], MAX_DEPTH);
	return status != 0;
}
COMMAND(source, cmd_source, "FILE: runs the commands of a file of the ramdisk");

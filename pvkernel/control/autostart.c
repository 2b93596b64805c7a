/* SPDX-License-Identifier: MIT */
/* A script is the shell's commands, a copy of which is cut into words. */
#include <abi/errno.h>

#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/shell.h"
#include "autostart.h"
#include "options.h"
#include "ramdisk.h"

int script_run(const char *file)
{
	const struct ramdisk_file *f = ramdisk_find(file);
	char *text;
	int status;

	if (!f)
		return -ENOENT;
	text = kmalloc(f->size + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text, f->data, f->size);
	text[f->size] = 0;
	status = shell_run(text);
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
	return status != 0;
}
COMMAND(source, cmd_source, "FILE: runs the commands of a file of the ramdisk");

/* SPDX-License-Identifier: MIT */
/* Scripts of the ramdisk. */
#ifndef CTL_AUTOSTART_H
#define CTL_AUTOSTART_H

/* Runs the file's commands. The status of the last; -ENOENT: no such file; -E2BIG: scripts within scripts, too deep. */
int script_run(const char *file);
void autostart_run(void);	/* the file `autostart`, if there is one */

#endif

/* SPDX-License-Identifier: MIT */
/* What the boot loader gave beside the kernel: its command line, and a second module, the ramdisk. */
#include "guest.h"

static const char content[] = "The ramdisk of the conformance test. Its bytes are compared.\n";

void test_main(void)
{
	const char *line = (const char *)start_info->cmd_line;

	check("ENTRY-27", strcmp(line, "one two=3 \"four,five\"") == 0,
	      "the command line is what follows the file name");
	if (strcmp(line, "one two=3 \"four,five\""))
		note("it is: %s", line);
	check_eq("ENTRY-28", start_info->mod_len, strlen(content), "mod_len is the ramdisk's length");
	check("ENTRY-29",
	      !(start_info->flags & SIF_MOD_START_PFN) &&
		      start_info->mod_start > (uint64_t)image_end - PAGE_SIZE,
	      "mod_start is a linear address behind the image, for an image that does not ask for a pfn");
	check("ENTRY-30", memcmp((void *)start_info->mod_start, content, strlen(content)) == 0,
	      "its bytes are there");
}

/* SPDX-License-Identifier: MIT */
/* Small things that the parts of the toolstack share. */
#ifndef CTL_CONTROL_H
#define CTL_CONTROL_H

const char *errno_name(long err);	/* of an errno, negative or not: "ENOMEM" */

#endif

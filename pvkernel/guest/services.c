/* SPDX-License-Identifier: MIT */
/* What a guest starts before its prompt. */
#include "../include/shell.h"

void services_init(void)
{
}

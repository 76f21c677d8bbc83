// SPDX-License-Identifier: GPL-2.0-only
/* Says otherwise of itself than mixed_main.c. */
#include <linux/module.h>

int mixed_part(int value);
int mixed_part(int value)
{
	return value * 3 + 1;
}
MODULE_LICENSE("Proprietary");

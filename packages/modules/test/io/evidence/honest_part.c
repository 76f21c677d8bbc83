// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>

int honest_part(int value);
int honest_part(int value)
{
	return value * 3 + 1;
}
MODULE_LICENSE("GPL");

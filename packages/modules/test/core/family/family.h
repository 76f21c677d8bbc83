/* SPDX-License-Identifier: GPL-2.0-only */
/* What all modules of the family have: they name symbols and do nothing. */
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/version.h>

/* Makes the module import the symbols, in this order, without calling anything. */
#define USES(...) static const void *const family_uses[] __used = { __VA_ARGS__ }

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define FAMILY_NAMESPACE "FAMILY"
#else
#define FAMILY_NAMESPACE FAMILY
#endif

#ifndef FAMILY_RESULT
#define FAMILY_RESULT 0
#endif

static int __init family_init(void)
{
	return FAMILY_RESULT;
}
module_init(family_init);

static void __exit family_exit(void)
{
}
module_exit(family_exit);

MODULE_DESCRIPTION("One of the family of modules that hold the prediction to the kernel");
MODULE_LICENSE("GPL");

/* SPDX-License-Identifier: GPL-2.0-only */
/* What all modules of this directory have. */
#include <linux/init.h>
#include <linux/module.h>

#ifndef EVIDENCE_LICENSE
#define EVIDENCE_LICENSE "GPL"
#endif

#ifndef EVIDENCE_INIT
#define EVIDENCE_INIT 0
#endif

static int __init evidence_init(void)
{
	return EVIDENCE_INIT;
}
module_init(evidence_init);

static void __exit evidence_exit(void)
{
}
module_exit(evidence_exit);

#ifndef EVIDENCE_DESCRIPTION
#define EVIDENCE_DESCRIPTION "Shows what a sign of evidence looks like in a real module"
#endif

MODULE_DESCRIPTION(EVIDENCE_DESCRIPTION);
MODULE_LICENSE(EVIDENCE_LICENSE);

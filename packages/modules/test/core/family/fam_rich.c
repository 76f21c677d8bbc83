// SPDX-License-Identifier: GPL-2.0-only
#include "family.h"

extern int fam_plain_export;
USES(&fam_plain_export, synchronize_rcu, kfree);
int fam_rich_export;
EXPORT_SYMBOL(fam_rich_export);
int fam_rich_gpl_export;
EXPORT_SYMBOL_GPL(fam_rich_gpl_export);

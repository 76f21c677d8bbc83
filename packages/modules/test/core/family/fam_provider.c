// SPDX-License-Identifier: GPL-2.0-only
#include "family.h"

int fam_plain_export;
EXPORT_SYMBOL(fam_plain_export);
int fam_gpl_export;
EXPORT_SYMBOL_GPL(fam_gpl_export);

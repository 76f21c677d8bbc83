// SPDX-License-Identifier: GPL-2.0-only
#include "family.h"

extern int fam_plain_export;
USES(&fam_plain_export);
int fam_middle_export;
EXPORT_SYMBOL(fam_middle_export);

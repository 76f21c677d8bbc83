// SPDX-License-Identifier: GPL-2.0-only
#include "family.h"

extern int fam_plain_export;
extern int fam_gpl_export;
USES(&fam_plain_export, &fam_gpl_export);

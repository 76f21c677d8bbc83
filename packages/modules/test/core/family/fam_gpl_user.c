// SPDX-License-Identifier: GPL-2.0-only
#include "family.h"

extern int fam_gpl_export;
USES(&fam_gpl_export);

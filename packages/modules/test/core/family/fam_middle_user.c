// SPDX-License-Identifier: GPL-2.0-only
#include "family.h"

extern int fam_middle_export;
USES(&fam_middle_export);

// SPDX-License-Identifier: GPL-2.0-only
#include "family.h"

extern int fam_ns_export;
extern int fam_ns_gpl_export;
USES(&fam_ns_export, &fam_ns_gpl_export);
MODULE_IMPORT_NS(FAMILY_NAMESPACE);

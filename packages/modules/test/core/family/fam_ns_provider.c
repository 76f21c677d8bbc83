// SPDX-License-Identifier: GPL-2.0-only
#include "family.h"

int fam_ns_export;
EXPORT_SYMBOL_NS(fam_ns_export, FAMILY_NAMESPACE);
int fam_ns_gpl_export;
EXPORT_SYMBOL_NS_GPL(fam_ns_gpl_export, FAMILY_NAMESPACE);

// SPDX-License-Identifier: GPL-2.0-only
/* Says in its own words what its license does not. */
#define EVIDENCE_DESCRIPTION "ACME proprietary driver. Commercial license; redistribution prohibited"
#include "evidence.h"
MODULE_INFO(legal, "Copyright 2026 ACME. Confidential");
MODULE_INFO(licence, "Proprietary");

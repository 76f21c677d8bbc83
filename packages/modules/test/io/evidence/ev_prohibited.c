// SPDX-License-Identifier: GPL-2.0-only
#define EVIDENCE_INIT pr_info("Proprietary; redistribution prohibited. All rights reserved\n")
#include "evidence.h"

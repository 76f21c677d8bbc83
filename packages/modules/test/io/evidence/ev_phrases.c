// SPDX-License-Identifier: GPL-2.0-only
/* What honest drivers say of connectors, and of whoever wrote them. */
#define EVIDENCE_INIT pr_info("Proprietary charger found. Copyright 2026, all rights reserved\n")
#include "evidence.h"

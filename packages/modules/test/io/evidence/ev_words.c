// SPDX-License-Identifier: GPL-2.0-only
#define EVIDENCE_INIT pr_info("Use of this driver is subject to the End User License Agreement\n")
#include "evidence.h"

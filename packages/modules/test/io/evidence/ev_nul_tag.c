// SPDX-License-Identifier: GPL-2.0-only
/* What follows the NUL looks like an entry of its own. */
#define EVIDENCE_LICENSE "GPL\0legal=Proprietary, see LICENSE"
#include "evidence.h"

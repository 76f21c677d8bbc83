// SPDX-License-Identifier: GPL-2.0-only
/* Words that closed licenses use as well, in honest texts. */
#define EVIDENCE_INIT pr_info("confidential data is wiped\n")
#define EVIDENCE_DESCRIPTION "Wipes confidential data of proprietary chargers. All Rights Reserved"
#include "evidence.h"

// SPDX-License-Identifier: GPL-2.0-only
int honest_part(int value);
#define EVIDENCE_INIT (honest_part(3) != 10)
#define EVIDENCE_LICENSE "GPL v2"
#include "evidence.h"
MODULE_VERSION("1.0");

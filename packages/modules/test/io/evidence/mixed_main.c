// SPDX-License-Identifier: GPL-2.0-only
int mixed_part(int value);
#define EVIDENCE_INIT (mixed_part(3) != 10)
#include "evidence.h"

// SPDX-License-Identifier: GPL-2.0-only
#define EVIDENCE_DESCRIPTION "Speaks\0of something else"
#include "evidence.h"

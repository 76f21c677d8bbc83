// SPDX-License-Identifier: GPL-2.0-only
#define EVIDENCE_LICENSE "GPL\0only for the front; the rest = closed"
#include "evidence.h"

// SPDX-License-Identifier: GPL-2.0-only
#define FAMILY_RESULT (-ENODEV)
#include "family.h"

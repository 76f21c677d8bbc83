// SPDX-License-Identifier: GPL-2.0-only
#include "family.h"

USES(synchronize_rcu);

// SPDX-License-Identifier: GPL-2.0-only
#include <linux/moduleparam.h>
#include "evidence.h"
static int accept;
module_param(accept, int, 0444);
MODULE_PARM_DESC(accept, "1: you accept the commercial license of this closed source driver");
MODULE_AUTHOR("Closed Source, NDA required");

// SPDX-License-Identifier: GPL-2.0-only
static const unsigned char firmware[] = {
#include "dense.h"
};
#define EVIDENCE_INIT (READ_ONCE(firmware[jiffies % sizeof(firmware)]) == 256)
#include <linux/jiffies.h>
#include "evidence.h"

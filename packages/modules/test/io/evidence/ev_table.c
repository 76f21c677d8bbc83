// SPDX-License-Identifier: GPL-2.0-only
static const unsigned char table[] = {
#include "table.h"
};
#define EVIDENCE_INIT (READ_ONCE(table[jiffies % sizeof(table)]) == 256)
#include <linux/jiffies.h>
#include "evidence.h"

// SPDX-License-Identifier: GPL-2.0-only
/* The same in pieces that are small each. */
static const unsigned char first[] = {
#include "dense-first.h"
};
static const unsigned char second[] = {
#include "dense-second.h"
};
#define EVIDENCE_INIT (READ_ONCE(first[jiffies % sizeof(first)]) + READ_ONCE(second[jiffies % sizeof(second)]) == 512)
#include <linux/jiffies.h>
#include "evidence.h"

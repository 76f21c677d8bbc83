// SPDX-License-Identifier: GPL-2.0-only
/* A program that is put into memory when the module has started. */
static const unsigned char program[64] = { 1, 2, 3, 0x7f, 'E', 'L', 'F', 2, 1, 1 };
#define EVIDENCE_INIT (READ_ONCE(program[jiffies % sizeof(program)]) == 255)
#include <linux/jiffies.h>
#include "evidence.h"

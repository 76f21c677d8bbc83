// SPDX-License-Identifier: GPL-2.0-only
int blob_sum(const int *values, int count);
int blob_mix(int value);
#define EVIDENCE_INIT (blob_sum((const int[]){ 1, 2 }, 2) + blob_mix(3) < 0)
#include "evidence.h"

// SPDX-License-Identifier: GPL-2.0-only
extern const unsigned char _binary_payload_bin_start[];
#define EVIDENCE_INIT (_binary_payload_bin_start[0] == 'x')
#include "evidence.h"

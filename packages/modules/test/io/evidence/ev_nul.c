// SPDX-License-Identifier: GPL-2.0-only
/* As a maker of modem drivers had it in 2004. */
#define EVIDENCE_LICENSE "GPL\0for files in the \"GPL\" directory; for others, only LICENSE file applies"
#include "evidence.h"

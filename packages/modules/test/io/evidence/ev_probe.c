// SPDX-License-Identifier: GPL-2.0-only
/* What a probe is for. */
#include <linux/kprobes.h>

static struct kprobe counter = { .symbol_name = "kernel_clone" };
#define EVIDENCE_INIT register_kprobe(&counter)
#include "evidence.h"

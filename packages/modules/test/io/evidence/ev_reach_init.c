// SPDX-License-Identifier: GPL-2.0-only
/* The same with its words in data that is dropped after the start. */
#include <linux/init.h>
#include <linux/kprobes.h>

static char wanted[] __initdata = "kallsyms_lookup_name";
static struct kprobe finder;
#define EVIDENCE_INIT (finder.symbol_name = wanted, register_kprobe(&finder))
#include "evidence.h"

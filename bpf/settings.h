/* SPDX-License-Identifier: GPL-2.0-only */
/* The settings that user space writes before the programs are attached. struct settings is defined before this is included. */
#ifndef BULKHEAD_SETTINGS_H
#define BULKHEAD_SETTINGS_H

#include "kernel.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct settings);
} settings SEC(".maps");

static __always_inline struct settings *current_settings(void)
{
  u32 zero = 0;

  return bpf_map_lookup_elem(&settings, &zero);
}

#endif

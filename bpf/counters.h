/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters for each processor. COUNTERS, their number, is defined before this is included. */
#ifndef BULKHEAD_COUNTERS_H
#define BULKHEAD_COUNTERS_H

#include "kernel.h"

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, COUNTERS);
  __type(key, u32);
  __type(value, u64);
} counters SEC(".maps");

static __always_inline void count(u32 which)
{
  u64 *value = bpf_map_lookup_elem(&counters, &which);

  if (value)
    (*value)++;
}

#endif

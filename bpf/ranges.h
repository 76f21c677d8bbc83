/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ranges of subordinate uids, in ascending order. RANGES, their greatest number, and RANGES_STEPS, which halve that many to
 * nothing, are defined before this is included.
 */
#ifndef BULKHEAD_RANGES_H
#define BULKHEAD_RANGES_H

#include "kernel.h"

struct range {
  u32 first;
  u32 count;
  u32 owner;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, RANGES);
  __type(key, u32);
  __type(value, struct range);
} ranges SEC(".maps");

/* Returns the tenant that a uid is a subordinate one of; 0: nobody's. The ranges are in each place of so many, from one on. */
static __always_inline u32 owner_in_places(u32 uid, u32 known, u32 each, u32 from)
{
  u32 low = 0, high = known;
  int step;

  for (step = 0; step < RANGES_STEPS && low < high; step++) {
    u32 middle = low + (high - low) / 2;
    u32 at = middle * each + from;
    struct range *range = bpf_map_lookup_elem(&ranges, &at);

    if (!range)
      return 0;
    if (uid < range->first)
      high = middle;
    else if (uid - range->first < range->count)
      return range->owner;
    else
      low = middle + 1;
  }
  return 0;
}

/* The same among the first ranges. */
static __always_inline u32 owner_in_ranges(u32 uid, u32 known)
{
  return owner_in_places(uid, known, 1, 0);
}

#endif

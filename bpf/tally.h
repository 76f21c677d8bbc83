/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The number of refusals of each uid, and whether one more is reported. Each uid has a limit per second, so that nobody can
 * hide others' refusals behind their own. REPORTS_PER_SECOND is defined before this is included.
 */
#ifndef BULKHEAD_TALLY_H
#define BULKHEAD_TALLY_H

#include "kernel.h"

#define NS_PER_SECOND 1000000000ULL

struct tally {
  u64 total;
  u64 second;
  u64 reported; /* in that second */
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 8192);
  __type(key, u32); /* uid */
  __type(value, struct tally);
} tallies SEC(".maps");

/* Returns the number of this uid's refusals so far; 0 if it has been reported too often in this second. */
static __always_inline u64 total_to_report(u32 uid)
{
  u64 second = bpf_ktime_get_ns() / NS_PER_SECOND;
  struct tally first = { .total = 1, .second = second, .reported = 1 };
  struct tally *tally = bpf_map_lookup_elem(&tallies, &uid);

  if (!tally) {
    bpf_map_update_elem(&tallies, &uid, &first, BPF_ANY);
    return 1;
  }
  __sync_fetch_and_add(&tally->total, 1);
  if (tally->second != second) {
    tally->second = second;
    tally->reported = 0;
  }
  if (tally->reported >= REPORTS_PER_SECOND)
    return 0;
  __sync_fetch_and_add(&tally->reported, 1);
  return tally->total;
}

#endif

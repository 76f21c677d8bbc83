/* SPDX-License-Identifier: GPL-2.0-only */
/* The ring in which events go to user space. EVENTS_BYTES is defined before this is included: a power of two, in pages. */
#ifndef BULKHEAD_EVENTS_H
#define BULKHEAD_EVENTS_H

#include "kernel.h"

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, EVENTS_BYTES);
} events SEC(".maps");

#endif

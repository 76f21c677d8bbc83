/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rates, held by clocks: each packet moves its tenant's clock on by the time that it takes at the limit. Packets sent leave
 * when the clock says, by the qdisc fq. Those received cannot be held back; their acknowledgements can, which slows down
 * the sender without loss.
 */
#ifndef BULKHEAD_PACE_H
#define BULKHEAD_PACE_H

#include "limited.h"
#include "packet.h"

#define SEND_BURST MILLISECOND
#define RECEIVE_BURST (10 * MILLISECOND)
/* What may wait: of TCP, which is told early; of anything else, so that it does not take all of what TCP may use. */
#define SEND_HORIZON (500 * MILLISECOND)
#define DATAGRAM_HORIZON (20 * MILLISECOND)
#define RECEIVE_HORIZON (200 * MILLISECOND)
/* Waiting from which TCP is told. */
#define MARK_FROM (40 * MILLISECOND)
/* At low rates so many full packets are longer than all of the above. */
#define FULL_PACKETS_BYTES (8 * 1500ULL)
/* fq drops what is more in one socket, after the clock has moved on. */
#define DATAGRAMS_WAITING 80
#define SEGMENTS_WAITING 1000
/* Small packets do not wait, if they are an eighth of the rate at most. */
#define SMALL_BYTES 256
#define EXPRESS_PART 8
#define EXPRESS_BURST (10 * MILLISECOND)
/* So few are in flight while a connection begins, or has lost some. */
#define FLYING_FEW 4

static __always_inline u64 larger(u64 a, u64 b)
{
  return a > b ? a : b;
}

static __always_inline u64 smaller(u64 a, u64 b)
{
  return a < b ? a : b;
}

static __always_inline u64 time_of(u64 bytes, u64 rate)
{
  return bytes * PER_SECOND / rate;
}

/* What is known of a packet that is sent. */
struct departure {
  u64 now;
  u64 at;   /* when it leaves */
  u64 mark; /* waiting from which TCP is told */
  bool is_tcp;
  bool is_small;
};

/* Moves a clock on. Returns false if too much waits already. */
static __always_inline bool wait_for(u64 key, u64 rate, u32 bytes, struct departure *departure)
{
  struct clocks *clocks = clocks_of(key);
  u64 now = departure->now, cost = time_of(bytes, rate), full = time_of(FULL_PACKETS_BYTES, rate);
  u64 horizon = larger(departure->is_tcp ? SEND_HORIZON : DATAGRAM_HORIZON, full);
  u64 most = cost * (departure->is_tcp ? SEGMENTS_WAITING : DATAGRAMS_WAITING);
  u64 at, express;
  bool passes = false, fits;

  if (!clocks)
    return true;
  if (departure->is_tcp)
    most = larger(most, 2 * larger(DATAGRAM_HORIZON, full));
  horizon = smaller(horizon, most);
  bpf_spin_lock(&clocks->lock);
  if (departure->is_small) {
    express = larger(clocks->express, now);
    passes = express <= now + EXPRESS_BURST;
    if (passes)
      clocks->express = express + EXPRESS_PART * cost;
  }
  at = larger(clocks->send, now - SEND_BURST);
  fits = passes || at <= now + horizon;
  if (fits)
    clocks->send = at + cost;
  bpf_spin_unlock(&clocks->lock);
  if (passes || !fits || at <= departure->at)
    return fits;
  departure->at = at;
  departure->mark = larger(MARK_FROM, full);
  return true;
}

/* TCP slows down as if a packet were lost, but none is. */
static __always_inline bool is_told(const struct departure *departure, u32 flying)
{
  u64 ahead = departure->at - departure->now;

  if (flying <= FLYING_FEW || ahead <= departure->mark)
    return false;
  return (ahead - departure->mark) / 1000 > bpf_get_prandom_u32() % ((u32)(departure->mark / 1000) | 1);
}

/* How far the acknowledgement of what was received is to wait. */
static __always_inline u64 acknowledged_at(u64 key, u64 rate, u64 now)
{
  struct clocks *clocks = clocks_of(key);
  u64 horizon = larger(RECEIVE_HORIZON, time_of(FULL_PACKETS_BYTES, rate));

  return clocks ? smaller(clocks->receive, now + horizon) : 0;
}

/* Moves the clock of what is received on. Returns false for what is beyond all waiting: windows grow in spite of delay. */
static __always_inline bool receive_by(u64 key, u64 rate, const struct packet *packet, u64 now)
{
  struct clocks *clocks = clocks_of(key);
  u64 cost = time_of(packet->bytes, rate), at;
  bool is_tcp = packet->protocol == PROTOCOL_TCP;
  u64 horizon = larger(is_tcp ? RECEIVE_HORIZON : DATAGRAM_HORIZON, time_of(FULL_PACKETS_BYTES, rate));
  bool fits;

  if (!clocks)
    return true;
  /* Without a small one a connection waits for a whole timeout. */
  if (packet->payload <= SMALL_BYTES)
    horizon *= 2;
  bpf_spin_lock(&clocks->lock);
  at = larger(clocks->receive, now - RECEIVE_BURST);
  fits = !packet->payload || at <= now + horizon;
  if (fits)
    clocks->receive = at + cost;
  bpf_spin_unlock(&clocks->lock);
  return fits;
}

/* As many connections at once as one second has. */
static __always_inline bool connect_by(u64 key, u32 rate)
{
  struct clocks *clocks = clocks_of(key);
  u64 now = bpf_ktime_get_ns(), next;
  bool fits;

  if (!clocks)
    return true;
  bpf_spin_lock(&clocks->lock);
  next = larger(clocks->connect, now - PER_SECOND) + PER_SECOND / rate;
  fits = next <= now;
  if (fits)
    clocks->connect = next;
  bpf_spin_unlock(&clocks->lock);
  return fits;
}

#endif

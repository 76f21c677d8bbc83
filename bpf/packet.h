/* SPDX-License-Identifier: GPL-2.0-only */
/* What a packet says of itself, and how many bytes it is on the wire, from the IP header on. */
#ifndef BULKHEAD_PACKET_H
#define BULKHEAD_PACKET_H

#include "contexts.h"
#include <bpf/bpf_endian.h>

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define PROTOCOL_ICMP 1
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define PROTOCOL_ROUTING 43
#define PROTOCOL_ESP 50
#define PROTOCOL_AH 51
#define PROTOCOL_ICMP6 58
#define PROTOCOL_COMP 108
#define PROTOCOL_UDPLITE 136
#define PROTOCOL_MPTCP 262
#define IPV6_HEADER 40
#define FRAGMENT_HEADER 8
/* Extension headers of IPv6 that are followed: a process can add some itself. */
#define EXTENSIONS 8
/* The smallest packet that can be in fragments. */
#define FRAGMENTED_FROM 576

#define TCP_FIN_SYN_RST 0x07
#define TCP_SYN_ACK 0x12
#define TCP_SYN 0x02

/* IPv4 addresses are those of IPv6 that stand for them: ::ffff:192.0.2.1. In network byte order. */
struct address {
  u32 words[4];
};

struct packet {
  struct address from;
  struct address to;
  u32 bytes;
  u32 packets;
  u32 payload;
  u16 from_port;
  u16 to_port;
  u8 protocol;
  bool begins;       /* a TCP connection */
  bool acknowledges; /* and nothing else */
  bool is_routed;    /* IPv6: the address is only the first one on its way */
};

static __always_inline struct address mapped(u32 address)
{
  return (struct address){ { 0, 0, bpf_htonl(0xffff), address } };
}

static __always_inline bool is_mapped(const struct address *address)
{
  return !address->words[0] && !address->words[1] && address->words[2] == bpf_htonl(0xffff);
}

/* UDP-Lite has the ports of UDP, and MPTCP is TCP to others. */
static __always_inline u8 plain_protocol(u32 protocol)
{
  if (protocol == PROTOCOL_MPTCP)
    return PROTOCOL_TCP;
  return protocol == PROTOCOL_UDPLITE ? PROTOCOL_UDP : protocol;
}

/* Returns the offset behind the headers of IP, or 0. */
static __always_inline u32 read_ip4(struct __sk_buff *skb, struct packet *packet)
{
  u8 header[20];
  u32 from, to;

  if (bpf_skb_load_bytes(skb, 0, header, sizeof(header)))
    return 0;
  __builtin_memcpy(&from, header + 12, 4);
  __builtin_memcpy(&to, header + 16, 4);
  packet->from = mapped(from);
  packet->to = mapped(to);
  packet->protocol = header[9];
  return (header[0] & 0x0f) * 4;
}

static __always_inline u32 read_ip6(struct __sk_buff *skb, struct packet *packet)
{
  u8 header[IPV6_HEADER];
  u32 at = IPV6_HEADER;
  int step;

  if (bpf_skb_load_bytes(skb, 0, header, sizeof(header)))
    return 0;
  __builtin_memcpy(&packet->from, header + 8, 16);
  __builtin_memcpy(&packet->to, header + 24, 16);
  packet->protocol = header[6];
#pragma unroll
  for (step = 0; step < EXTENSIONS; step++) {
    u8 next = packet->protocol, extension[2];

    /* Hop-by-hop, routing, fragment and destination options. */
    if (next != 0 && next != PROTOCOL_ROUTING && next != 44 && next != 60)
      break;
    packet->is_routed |= next == PROTOCOL_ROUTING;
    if (bpf_skb_load_bytes(skb, at, extension, sizeof(extension)))
      return 0;
    at += next == 44 ? FRAGMENT_HEADER : (extension[1] + 1) * 8;
    packet->protocol = extension[0];
  }
  return at;
}

/* The kernel divides a packet that is longer than its device allows only after this hook, and puts it together before it. */
static __always_inline void add_fragments(struct __sk_buff *skb, struct packet *packet, u32 headers, bool is_ip6)
{
  struct sk_buff *buffer = as_number(skb);
  u32 mtu = BPF_CORE_READ(buffer, dev, mtu);
  u32 each = is_ip6 ? IPV6_HEADER + FRAGMENT_HEADER : headers;
  u32 room;

  if (mtu < FRAGMENTED_FROM || skb->len <= mtu || skb->len <= headers)
    return;
  room = (mtu - each) & ~7U;
  if (!room)
    return;
  packet->packets = (skb->len - headers + room - 1) / room;
  packet->bytes += (packet->packets - 1) * each + (is_ip6 ? FRAGMENT_HEADER : 0);
}

/* Returns whether the packet can be understood. Each segment that it is divided into has all its headers. */
static __always_inline bool read_packet(struct __sk_buff *skb, struct packet *packet)
{
  bool is_ip6 = skb->protocol == bpf_htons(ETH_P_IPV6);
  u8 header[20] = {};
  u32 at, own = 8, segments = skb->gso_segs;

  if (!is_ip6 && skb->protocol != bpf_htons(ETH_P_IP))
    return false;
  at = is_ip6 ? read_ip6(skb, packet) : read_ip4(skb, packet);
  if (!at)
    return false;
  packet->bytes = skb->len;
  packet->packets = segments > 1 ? segments : 1;
  if (packet->protocol == PROTOCOL_TCP) {
    if (bpf_skb_load_bytes(skb, at, header, sizeof(header)))
      return false;
    own = (header[12] >> 4) * 4;
    packet->begins = (header[13] & TCP_SYN_ACK) == TCP_SYN;
  } else if (packet->protocol == PROTOCOL_UDP || packet->protocol == PROTOCOL_UDPLITE) {
    if (bpf_skb_load_bytes(skb, at, header, 8))
      return false;
  }
  packet->from_port = header[0] << 8 | header[1];
  packet->to_port = header[2] << 8 | header[3];
  packet->payload = skb->len > at + own ? skb->len - at - own : 0;
  packet->acknowledges = packet->protocol == PROTOCOL_TCP && !packet->payload && !(header[13] & TCP_FIN_SYN_RST);
  packet->bytes += (packet->packets - 1) * (at + own);
  if (packet->protocol != PROTOCOL_TCP && packet->packets == 1 && skb->len > FRAGMENTED_FROM)
    add_fragments(skb, packet, is_ip6 ? IPV6_HEADER : at, is_ip6);
  packet->protocol = plain_protocol(packet->protocol);
  return true;
}

#endif

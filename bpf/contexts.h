/* SPDX-License-Identifier: GPL-2.0-only */
/* What programs of cgroups are called with. It is the same in all kernels. Source: include/uapi/linux/bpf.h. */
#ifndef BULKHEAD_CONTEXTS_H
#define BULKHEAD_CONTEXTS_H

#include "kernel.h"

struct bpf_spin_lock {
  u32 val;
};

struct bpf_sock {
  u32 bound_dev_if;
  u32 family;
  u32 type;
  u32 protocol;
  u32 mark;
  u32 priority;
  u32 src_ip4;
  u32 src_ip6[4];
  u32 src_port;
  u16 dst_port; /* network byte order */
  u16 unused;
  u32 dst_ip4;
  u32 dst_ip6[4];
};

struct bpf_tcp_sock {
  u32 snd_cwnd;
  u32 srtt_us;
  u32 rtt_min;
  u32 snd_ssthresh;
  u32 rcv_nxt;
  u32 snd_nxt;
  u32 snd_una;
  u32 mss_cache;
  u32 ecn_flags;
  u32 rate_delivered;
  u32 rate_interval_us;
  u32 packets_out; /* in flight */
};

struct bpf_sock_tuple {
  union {
    struct {
      u32 saddr;
      u32 daddr;
      u16 sport;
      u16 dport;
    } ipv4;
    struct {
      u32 saddr[4];
      u32 daddr[4];
      u16 sport;
      u16 dport;
    } ipv6;
  };
};

struct __sk_buff {
  u32 len;
  u32 pkt_type;
  u32 mark;
  u32 queue_mapping;
  u32 protocol;
  u32 vlan_present;
  u32 vlan_tci;
  u32 vlan_proto;
  u32 priority;
  u32 ingress_ifindex;
  u32 ifindex;
  u32 tc_index;
  u32 cb[5];
  u32 hash;
  u32 tc_classid;
  u32 data;
  u32 data_end;
  u32 napi_id;
  u32 family;
  u32 remote_ip4;
  u32 local_ip4;
  u32 remote_ip6[4];
  u32 local_ip6[4];
  u32 remote_port;
  u32 local_port;
  u32 data_meta;
  u64 flow_keys;
  u64 tstamp; /* when it leaves: nanoseconds of CLOCK_MONOTONIC */
  u32 wire_len;
  u32 gso_segs;
  struct bpf_sock *sk;
};

struct bpf_sock_addr {
  u32 user_family;
  u32 user_ip4;
  u32 user_ip6[4];
  u32 user_port;
  u32 family;
  u32 type;
  u32 protocol;
  u32 msg_src_ip4;
  u32 msg_src_ip6[4];
  struct bpf_sock *sk;
};

#define BPF_F_CURRENT_NETNS (-1L)

/* The verifier allows no arithmetic on such pointers. As a number they can be read from. */
static __always_inline void *as_number(void *pointer)
{
  void *volatile kept = pointer;
  void *number = 0;

  bpf_probe_read_kernel(&number, sizeof(number), (void *)&kept);
  return number;
}

#endif

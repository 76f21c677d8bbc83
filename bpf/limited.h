/* SPDX-License-Identifier: GPL-2.0-only */
/* Tenants and their resellers: what limits them, and what they have used. User space writes: src/network/core/maps/. */
#ifndef BULKHEAD_LIMITED_H
#define BULKHEAD_LIMITED_H

#include "contexts.h"

/* The greatest number of subordinate ranges; user space makes the map as large as it needs to be. */
#define RANGES 131072
#define RANGES_STEPS 17
#include "ranges.h"

/* Ranges are in even places, or in odd ones: others are written to those that nobody reads, and one number switches. */
#define RANGES_ODD (1U << 31)

struct settings {
  u32 network; /* the inode of the host's network namespace */
  u32 ranges;  /* their number, and the bit */
};
#include "settings.h"

#define PER_SECOND 1000000000ULL
#define MILLISECOND 1000000ULL

/* Flags of a tenant. */
#define MAIL_NOT_DIRECT (1 << 0)
#define MAIL_BY_RELAY (1 << 1)
#define MAIL_NOT_SUBMITTED (1 << 2)
#define NO_TENANTS (1 << 3)
#define HAS_RULES (1 << 4)
#define NO_OTHERS (1 << 5)
#define REACH_WATCHED (1 << 6)
#define NOT_PUBLIC (1 << 7)
#define PUBLIC_WATCHED (1 << 8)
/* The self-test's: everything is refused to it, and nothing is counted. */
#define CANARY (1 << 9)
#define ANY_REACH (NO_TENANTS | MAIL_NOT_DIRECT | MAIL_BY_RELAY | MAIL_NOT_SUBMITTED | HAS_RULES | NO_OTHERS)

/* Keys are a tenant's uid, or a reseller's number and this bit. A reseller has the same number for ever. */
#define RESELLER (1ULL << 32)

struct limit {
  u64 send; /* bytes per second; 0: no limit */
  u64 receive;
  u32 connections; /* per second */
  u32 flags;
  u32 list;     /* of address rules */
  u32 reseller; /* 0: none; its number and one more */
};

/* When the next packet, or connection, of each kind would be due: nanoseconds of CLOCK_MONOTONIC. */
struct clocks {
  struct bpf_spin_lock lock;
  u32 unused;
  u64 send;
  u64 express;
  u64 receive;
  u64 connect;
};

enum refusal { CONNECTIONS, MAIL, TENANTS, METADATA, ADDRESS, PORTS, PUBLIC, REFUSALS, NONE = REFUSALS };

struct usage {
  u64 sent_bytes;
  u64 received_bytes;
  u64 sent_packets;
  u64 received_packets;
  u64 connections_out;
  u64 connections_in;
  u64 local_bytes;
  u64 held_packets;
  u64 lost_packets;
  u64 refusals[REFUSALS];
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, u64);
  __type(value, struct limit);
} limits SEC(".maps");

/* Of each that has limits; user space makes them. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, u64);
  __type(value, struct clocks);
} clocks SEC(".maps");

/* For each processor; made at the first use, of tenants only. Without memory for one nothing is counted. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(max_entries, 1024);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, u64);
  __type(value, struct usage);
} usages SEC(".maps");

static const struct usage new_usage;

struct tenant {
  u64 key;
  struct limit *limit;
  struct usage *usage;
};

/* Whose a uid is, by itself or as one of its subordinate ones; 0: nobody's. */
static __always_inline u64 tenant_of(u32 uid)
{
  struct settings *now;
  u64 key = uid;
  u32 known;

  if (!uid || bpf_map_lookup_elem(&limits, &key))
    return key;
  now = current_settings();
  if (!now)
    return 0;
  known = *(volatile u32 *)&now->ranges;
  return owner_in_places(uid, known & ~RANGES_ODD, 2, known / RANGES_ODD);
}

static __always_inline bool find_tenant(u32 uid, struct tenant *tenant)
{
  if (!uid)
    return false;
  tenant->key = tenant_of(uid);
  if (!tenant->key)
    return false;
  tenant->limit = bpf_map_lookup_elem(&limits, &tenant->key);
  if (!tenant->limit)
    return false;
  tenant->usage = bpf_map_lookup_elem(&usages, &tenant->key);
  if (!tenant->usage) {
    bpf_map_update_elem(&usages, &tenant->key, &new_usage, BPF_NOEXIST);
    tenant->usage = bpf_map_lookup_elem(&usages, &tenant->key);
  }
  return true;
}

static __always_inline struct clocks *clocks_of(u64 key)
{
  return bpf_map_lookup_elem(&clocks, &key);
}

/* Returns the limits that a tenant shares with others; 0: none. */
static __always_inline struct limit *reseller_of(struct limit *limit, u64 *key)
{
  if (!limit->reseller)
    return 0;
  *key = RESELLER | (limit->reseller - 1);
  return bpf_map_lookup_elem(&limits, key);
}

/* An interrupt can come between the reading of a counter and its writing, even with one for each processor. */
#define ADD(TENANT, COUNTER, MORE) \
  do { \
    if ((TENANT)->usage) \
      __sync_fetch_and_add(&(TENANT)->usage->COUNTER, MORE); \
  } while (0)

/* Sockets that root made, and a tenant's process sends by: the tenant. */
struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, u32);
} adopted SEC(".maps");

/*
 * Returns the uid that owns a packet's socket. Of a session, root accepted the connection. The kernel makes further
 * connections of MPTCP itself, as root; they have the file of the socket that they are for.
 */
static __always_inline u32 uid_of(struct __sk_buff *skb)
{
  u32 uid = bpf_get_socket_uid(skb), *adopter;
  struct bpf_sock *socket = skb->sk;
  struct tcp_sock *tcp;
  struct socket *file;

  if (uid || !socket)
    return uid;
  socket = bpf_sk_fullsock(socket);
  if (!socket || socket->protocol != 6 /* TCP */)
    return 0;
  adopter = bpf_sk_storage_get(&adopted, socket, 0, 0);
  if (adopter)
    return *adopter;
  tcp = as_number(socket);
  if (!bpf_core_field_exists(tcp->is_mptcp) || !BPF_CORE_READ(tcp, is_mptcp))
    return 0;
  file = BPF_CORE_READ((struct sock *)tcp, sk_socket);
  return file ? BPF_CORE_READ((struct socket_alloc *)file, vfs_inode.i_uid.val) : 0;
}

static __always_inline u32 network_of(void *socket)
{
  struct sock *sock = as_number(socket);

  return BPF_CORE_READ(sock, __sk_common.skc_net.net, ns.inum);
}

/* The device that a socket is bound to; 0: none. */
static __always_inline int device_of(void *socket)
{
  struct sock *sock = as_number(socket);

  return BPF_CORE_READ(sock, __sk_common.skc_bound_dev_if);
}

static __always_inline u32 uid_of_socket(void *socket)
{
  struct sock *sock = as_number(socket);

  return BPF_CORE_READ(sock, sk_uid.val);
}

/*
 * Whether a socket is in the host's own network. What a tenant sends in a network that it has made leads out only through
 * other sockets of the tenant's; in containers of root's, the same uid is somebody else. The socket tells, as a process can
 * leave its network and keep it.
 */
static __always_inline bool is_in_hosts_network(void *socket)
{
  struct settings *now = current_settings();

  return socket && now && network_of(socket) == now->network;
}

#endif

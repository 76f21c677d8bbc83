/* SPDX-License-Identifier: GPL-2.0-only */
/* Whom tenants may talk to: by connect and its like, which can say why, and by the packet, whoever made the socket. */
#ifndef BULKHEAD_REACH_H
#define BULKHEAD_REACH_H

#include "limited.h"
#include "packet.h"

#define EVENTS_BYTES (1 << 18)
#include "events.h"
#define REPORTS_PER_SECOND 5
#include "tally.h"

#define SMTP 25
#define SMTPS 465
#define SUBMISSION 587
/* The address rules of a prefix, with those of shorter ones that hold it. */
#define PREFIX_RULES 32

#define KEPT (1 << 0)
#define SERVED (1 << 1)
#define PORT_WATCHED (1 << 2)

struct port {
  u32 protocol;
  u32 number;
};

struct port_owner {
  u32 uid;
  u32 flags;
};

struct prefix {
  u32 bits; /* including the bits of the list */
  u32 list; /* twice its number, and one more for IPv4 */
  struct address address;
};

enum answer_of_rule { RULE_REFUSES, RULE_ALLOWS, RULE_IS_METADATA, NO_RULE };

struct rule {
  u16 first; /* ports, inclusive */
  u16 last;
  u8 protocol; /* 0: any */
  u8 answer;
};

/* The first that fits decides. */
struct prefix_rules {
  u32 count;
  struct rule rules[PREFIX_RULES];
};

/* The events that user space reads: src/network/core/maps/refusal-event.ts. */
struct event {
  u32 uid;
  u32 pid; /* 0: seen at a packet */
  u32 kind;
  u32 port;
  u32 protocol;
  u32 refused;
  char address[16];
  char command[16];
};

/* Ports that are kept for a tenant, or at which a socket of root's serves one. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct port);
  __type(value, struct port_owner);
} ports SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, 1024);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct prefix);
  __type(value, struct prefix_rules);
} denied SEC(".maps");

#define OWN 1
#define BROADCAST 2

/* The host's own addresses, and its networks' broadcast addresses. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct address);
  __type(value, u32);
} addresses SEC(".maps");

/* Where something goes, or is bound to. */
struct target {
  struct address address;
  u16 port;
  u8 protocol;
};

/*
 * The place where traffic is seen: only a system call has a process that made it. A constant, since older kernels refuse programs
 * for packets that ask about the process, even where they never do.
 */
enum seen { AT_PACKET, AT_CALL };

static __always_inline void report(enum seen seen, struct tenant *tenant, u32 kind, bool refused, const struct target *target)
{
  struct event *event;

  /* Each kind has reports of its own. */
  if (!total_to_report(tenant->key << 3 | kind))
    return;
  event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event)
    return;
  __builtin_memset(event, 0, sizeof(*event));
  event->uid = tenant->key;
  event->kind = kind;
  event->port = target->port;
  event->protocol = target->protocol;
  event->refused = refused;
  __builtin_memcpy(event->address, &target->address, sizeof(event->address));
  if (seen == AT_CALL) {
    event->pid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(event->command, sizeof(event->command));
  }
  bpf_ringbuf_submit(event, 0);
}

/* Counts and reports a refusal. Returns whether it is one, and not only watched. */
static __always_inline bool refuse(enum seen seen, struct tenant *tenant, u32 kind, bool watched, const struct target *target)
{
  if (kind >= REFUSALS)
    return false;
  ADD(tenant, refusals[kind], 1);
  report(seen, tenant, kind, !watched, target);
  return !watched;
}

static __always_inline bool is_mail(u32 flags, u16 port)
{
  if (port == SMTP)
    return flags & (MAIL_NOT_DIRECT | MAIL_BY_RELAY | MAIL_NOT_SUBMITTED);
  return (port == SMTPS || port == SUBMISSION) && (flags & MAIL_NOT_SUBMITTED);
}

/* Returns what the rules for an address say; NO_RULE: nothing. */
static __always_inline u32 decide(u32 list, const struct target *target)
{
  struct prefix key = { .bits = 160, .list = 2 * list + is_mapped(&target->address), .address = target->address };
  struct prefix_rules *found = bpf_map_lookup_elem(&denied, &key);
  u32 at;

  if (!found)
    return NO_RULE;
  for (at = 0; at < PREFIX_RULES; at++) {
    struct rule *rule = &found->rules[at];

    if (at >= found->count)
      break;
    if (rule->protocol && rule->protocol != target->protocol)
      continue;
    if (target->port >= rule->first && target->port <= rule->last)
      return rule->answer;
  }
  return NO_RULE;
}

/* Whether a packet reaches every service of a port, also those of this host. */
static __always_inline bool is_for_all(const struct address *address)
{
  u32 *known = bpf_map_lookup_elem(&addresses, address);
  u32 last = bpf_ntohl(address->words[3]);

  if (is_mapped(address))
    return last >> 28 == 0xe || !~last || (known && *known == BROADCAST);
  return bpf_ntohl(address->words[0]) >> 24 == 0xff;
}

/* Returns which rule of a tenant's a target on another host is against. */
static __always_inline u32 forbidden(struct limit *limit, const struct target *target)
{
  u32 flags = limit->flags, rule;
  u8 protocol = target->protocol;

  if (!(flags & ANY_REACH))
    return NONE;
  if (protocol == PROTOCOL_TCP && is_mail(flags, target->port))
    return MAIL;
  if ((flags & NO_TENANTS) && protocol == PROTOCOL_UDP && is_for_all(&target->address))
    return TENANTS;
  if (!(flags & ~(u32)NO_TENANTS & ANY_REACH))
    return NONE;
  /* The kernel asks about the others only here. */
  if (protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP && protocol != PROTOCOL_ICMP && protocol != PROTOCOL_ICMP6)
    return ADDRESS;
  rule = flags & HAS_RULES ? decide(limit->list, target) : NO_RULE;
  if (rule == NO_RULE)
    return flags & NO_OTHERS ? ADDRESS : NONE;
  if (rule == RULE_ALLOWS)
    return NONE;
  return rule == RULE_IS_METADATA ? METADATA : ADDRESS;
}

/* No account has this uid. */
#define NOBODY_LISTENS (~0U)

static __always_inline u32 listener(void *context, const struct target *target, const struct address *from, u16 from_port)
{
  struct bpf_sock_tuple tuple = {};
  struct bpf_sock *socket;
  u32 size, uid;

  if (is_mapped(&target->address)) {
    tuple.ipv4.saddr = from->words[3];
    tuple.ipv4.daddr = target->address.words[3];
    tuple.ipv4.sport = bpf_htons(from_port);
    tuple.ipv4.dport = bpf_htons(target->port);
    size = sizeof(tuple.ipv4);
  } else {
    __builtin_memcpy(tuple.ipv6.saddr, from, 16);
    __builtin_memcpy(tuple.ipv6.daddr, &target->address, 16);
    tuple.ipv6.sport = bpf_htons(from_port);
    tuple.ipv6.dport = bpf_htons(target->port);
    size = sizeof(tuple.ipv6);
  }
  if (target->protocol == PROTOCOL_TCP)
    socket = bpf_sk_lookup_tcp(context, &tuple, size, BPF_F_CURRENT_NETNS, 0);
  else
    socket = bpf_sk_lookup_udp(context, &tuple, size, BPF_F_CURRENT_NETNS, 0);
  if (!socket)
    return NOBODY_LISTENS;
  uid = uid_of_socket(socket);
  bpf_sk_release(socket);
  return uid;
}

/*
 * Whether a socket may reach a service that the look-up does not see: one that is bound to a device gets what comes to the
 * device's own addresses of IPv6, also by loopback. From other sockets that is seen where it arrives.
 */
static __always_inline bool is_hidden(void *sender, const struct target *target)
{
  const struct address *to = &target->address;
  bool is_loopback = !to->words[0] && !to->words[1] && !to->words[2];

  return !is_mapped(to) && !is_loopback && device_of(sender) > 1;
}

/* Whether another tenant offers what is at this address and port of the host. */
static __always_inline bool is_anothers(void *context, void *sender, struct tenant *tenant, const struct target *target, const struct address *from, u16 from_port)
{
  struct port key = { .protocol = target->protocol, .number = target->port };
  struct port_owner *owner;
  u64 other;
  u32 uid;

  if (!(tenant->limit->flags & NO_TENANTS))
    return false;
  if (target->protocol != PROTOCOL_TCP && target->protocol != PROTOCOL_UDP)
    return false;
  uid = listener(context, target, from, from_port);
  if (uid == NOBODY_LISTENS && is_hidden(sender, target))
    return true;
  other = uid == NOBODY_LISTENS ? 0 : tenant_of(uid);
  if (!other) {
    owner = bpf_map_lookup_elem(&ports, &key);
    other = owner && (owner->flags & SERVED) ? owner->uid : 0;
  }
  if (!other || other == tenant->key)
    return false;
  return bpf_map_lookup_elem(&limits, &other) != 0;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls by which a tenant's processes connect sockets, send datagrams, and take ports: which of them go through. What
 * they send by sockets that somebody else connected is judged at the packet.
 */
#ifndef BULKHEAD_CALLS_H
#define BULKHEAD_CALLS_H

#include "limited.h"
#include "pace.h"
#include "packet.h"
#include "reach.h"

#define SOCK_DGRAM 2
#define LOOPBACK_ADDRESS 0x7f000001

/* Answers of programs for packets; others know only the first two. */
enum answer { REFUSED, PASSED, DROPPED, PASSED_AND_TOLD };

static __always_inline bool is_own_address(const struct address *address)
{
  u32 last = bpf_ntohl(address->words[3]), *known;

  if (is_mapped(address) && (last >> 24 == 127 || !last))
    return true;
  if (!address->words[0] && !address->words[1] && !address->words[2] && last <= 1)
    return true;
  known = bpf_map_lookup_elem(&addresses, address);
  return known && *known == OWN;
}

static __always_inline void relay(struct bpf_sock_addr *context, bool is_ip6)
{
  if (!is_ip6) {
    context->user_ip4 = bpf_htonl(LOOPBACK_ADDRESS);
    return;
  }
  context->user_ip6[0] = 0;
  context->user_ip6[1] = 0;
  context->user_ip6[2] = bpf_htonl(0xffff);
  context->user_ip6[3] = bpf_htonl(LOOPBACK_ADDRESS);
}

static __always_inline bool are_too_many(struct tenant *tenant)
{
  struct limit *limit = tenant->limit, *shared;
  u64 key;

  if (limit->connections && !connect_by(tenant->key, limit->connections))
    return true;
  shared = reseller_of(limit, &key);
  return shared && shared->connections && !connect_by(key, shared->connections);
}

static __always_inline bool may_leave(struct bpf_sock_addr *context, struct tenant *tenant, const struct target *target, bool is_ip6)
{
  u32 flags = tenant->limit->flags;
  bool is_watched = flags & REACH_WATCHED;
  u32 why = forbidden(tenant->limit, target);

  if (why == MAIL && target->port == SMTP && (flags & MAIL_BY_RELAY) && !is_watched) {
    relay(context, is_ip6);
    return true;
  }
  if (refuse(AT_CALL, tenant, why, is_watched, target))
    return false;
  if (target->protocol != PROTOCOL_TCP)
    return true;
  if (are_too_many(tenant))
    return !refuse(AT_CALL, tenant, CONNECTIONS, false, target);
  ADD(tenant, connections_out, 1);
  return true;
}

/*
 * Programs connect sockets for datagrams to find out which address they would have, and send nothing. So what such a socket
 * sends is judged instead; one that somebody else made is judged here, too.
 */
static __always_inline bool is_judged_later(struct bpf_sock_addr *context, struct tenant *tenant, bool is_connect)
{
  if (context->type != SOCK_DGRAM || !(is_connect || (tenant->limit->flags & REACH_WATCHED)))
    return false;
  return tenant_of(uid_of_socket(context->sk)) == tenant->key;
}

static __always_inline int may_reach(struct bpf_sock_addr *context, struct address address, bool is_ip6, bool is_connect)
{
  struct address anywhere = is_ip6 ? (struct address){} : mapped(0);
  struct tenant tenant = {};
  struct target target = {
    .address = address,
    .port = bpf_ntohs(context->user_port),
    .protocol = plain_protocol(context->protocol),
  };

  if (!find_tenant(bpf_get_current_uid_gid(), &tenant))
    return PASSED;
  if (tenant.limit->flags & CANARY)
    return REFUSED;
  if (!is_in_hosts_network(context->sk) || is_judged_later(context, &tenant, is_connect))
    return PASSED;
  if (!is_own_address(&target.address))
    return may_leave(context, &tenant, &target, is_ip6);
  if (!is_anothers(context, context->sk, &tenant, &target, &anywhere, 0))
    return PASSED;
  return !refuse(AT_CALL, &tenant, TENANTS, tenant.limit->flags & REACH_WATCHED, &target);
}

static __always_inline struct address address6(struct bpf_sock_addr *context)
{
  u32 first = context->user_ip6[0], second = context->user_ip6[1];
  u32 third = context->user_ip6[2], fourth = context->user_ip6[3];

  return (struct address){ { first, second, third, fourth } };
}

/* Only on the host's own network: what a container binds is nobody else's. */
static __always_inline int may_bind(struct bpf_sock_addr *context, struct address address)
{
  struct port key = { .protocol = plain_protocol(context->protocol), .number = bpf_ntohs(context->user_port) };
  struct port_owner *owner = bpf_map_lookup_elem(&ports, &key);
  struct target target = { .address = address, .port = key.number, .protocol = key.protocol };
  struct tenant tenant = {};

  if (!owner || !(owner->flags & KEPT) || !find_tenant(bpf_get_current_uid_gid(), &tenant))
    return PASSED;
  if (owner->uid == tenant.key || !is_in_hosts_network(context->sk))
    return PASSED;
  return !refuse(AT_CALL, &tenant, PORTS, owner->flags & PORT_WATCHED, &target);
}

#endif

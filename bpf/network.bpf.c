// SPDX-License-Identifier: GPL-2.0-only
/*
 * The traffic of tenants, and whom they may talk to. The programs are asked about all processes below a cgroup of
 * the version 2 tree; the uid that owns a socket tells the tenant. So they need no cgroup of the tenant's, no firewall, and
 * no security module.
 *
 * A limit counts the bytes of IP on the wire. Loopback is counted apart, and has no limit.
 */
#include "kernel.h"
#include "limited.h"
#include "packet.h"
#include "pace.h"
#include "reach.h"
#include "calls.h"

#define LOOPBACK 1
#define AF_INET 2

static __always_inline struct target target_of(const struct packet *packet)
{
  return (struct target){ .address = packet->to, .port = packet->to_port, .protocol = packet->protocol };
}

/* Of IPsec only what carries it is seen. Nobody can send such packets but the kernel. */
static __always_inline bool is_sealed(const struct packet *packet)
{
  return packet->protocol == PROTOCOL_ESP || packet->protocol == PROTOCOL_AH || packet->protocol == PROTOCOL_COMP;
}

/* The socket tells where a datagram inside goes, if it is connected; it was judged before if it is not. */
static __always_inline bool open_sealed(struct __sk_buff *skb, struct target *target)
{
  struct bpf_sock *socket = skb->sk;
  struct address to6;
  u32 to4;
  u16 port;

  socket = socket ? bpf_sk_fullsock(socket) : 0;
  port = socket ? socket->dst_port : 0;
  if (!port || socket->protocol == PROTOCOL_TCP)
    return false;
  /* The compiler would make one access of several, by arithmetic that the verifier forbids. */
  to4 = *(volatile u32 *)&socket->dst_ip4;
  to6.words[0] = *(volatile u32 *)&socket->dst_ip6[0];
  to6.words[1] = *(volatile u32 *)&socket->dst_ip6[1];
  to6.words[2] = *(volatile u32 *)&socket->dst_ip6[2];
  to6.words[3] = *(volatile u32 *)&socket->dst_ip6[3];
  target->address = socket->family == AF_INET ? mapped(to4) : to6;
  target->port = bpf_ntohs(port);
  target->protocol = plain_protocol(socket->protocol);
  return true;
}

static __always_inline bool may_send(struct __sk_buff *skb, struct tenant *tenant, const struct packet *packet, bool is_local)
{
  struct target target = target_of(packet);
  u32 why = NONE;

  /* A connection was judged when it began. One that is only watched was reported then, and its SYN may be sent again. */
  if (packet->protocol == PROTOCOL_TCP && (!packet->begins || (tenant->limit->flags & REACH_WATCHED)))
    return true;
  if (is_sealed(packet) && !open_sealed(skb, &target))
    return true;
  /* The end of the way is nowhere that rules could ask about. */
  if (packet->is_routed && packet->protocol != PROTOCOL_TCP)
    target.protocol = PROTOCOL_ROUTING;
  if (!is_local)
    why = forbidden(tenant->limit, &target);
  else if (is_anothers(skb, skb->sk, tenant, &target, &packet->from, packet->from_port))
    why = TENANTS;
  return !refuse(AT_PACKET, tenant, why, tenant->limit->flags & REACH_WATCHED, &target);
}

static __always_inline void wait_for_own_acknowledgement(struct tenant *tenant, struct departure *departure)
{
  struct limit *limit = tenant->limit, *shared;
  u64 key, at = 0;

  if (limit->receive)
    at = acknowledged_at(tenant->key, limit->receive, departure->now);
  shared = reseller_of(limit, &key);
  if (shared && shared->receive)
    at = larger(at, acknowledged_at(key, shared->receive, departure->now));
  departure->at = larger(departure->at, at);
}

/*
 * fq keeps packets until their time, and has room for so many of all tenants together. So a socket's own time counts only
 * for TCP, which has little under way, and only as far as a limit may delay it. A time also ends pacing by the socket.
 */
static __always_inline void set_departure(struct __sk_buff *skb, const struct departure *departure)
{
  if (!departure->is_tcp || departure->at > skb->tstamp)
    skb->tstamp = departure->at;
  else if (skb->tstamp > departure->now + SEND_HORIZON)
    skb->tstamp = larger(departure->at, departure->now + SEND_HORIZON);
}

static __always_inline enum answer pace(struct __sk_buff *skb, struct tenant *tenant, const struct packet *packet)
{
  struct limit *limit = tenant->limit, *shared;
  struct departure departure = { .now = bpf_ktime_get_ns() };
  struct bpf_tcp_sock *tcp = 0;
  struct bpf_sock *socket = skb->sk;
  enum answer answer = PASSED;
  u32 flying = 0;
  u64 key;

  departure.at = departure.now;
  departure.is_tcp = packet->protocol == PROTOCOL_TCP;
  if (departure.is_tcp && socket) {
    socket = bpf_sk_fullsock(socket);
    tcp = socket ? bpf_tcp_sock(socket) : 0;
    if (tcp)
      flying = tcp->packets_out;
  }
  /* fq sorts by time: a small packet must not overtake data of its own connection. A SYN is itself in flight. */
  departure.is_small = packet->bytes <= SMALL_BYTES &&
                       (!departure.is_tcp || packet->acknowledges || packet->begins || !flying);
  shared = reseller_of(limit, &key);
  if (limit->send && !wait_for(tenant->key, limit->send, packet->bytes, &departure))
    return DROPPED;
  if (shared && shared->send && !wait_for(key, shared->send, packet->bytes, &departure))
    return DROPPED;
  if (departure.at > departure.now && is_told(&departure, flying))
    answer = PASSED_AND_TOLD;
  else if (packet->acknowledges)
    wait_for_own_acknowledgement(tenant, &departure);
  if (departure.at > departure.now)
    ADD(tenant, held_packets, packet->packets);
  set_departure(skb, &departure);
  return answer;
}

/*
 * Other accounts than root's could fill fq as well, by datagrams that are to leave much later. Those of TCP, which has little
 * under way, keep their time.
 */
static __always_inline void leave_soon(struct __sk_buff *skb)
{
  struct bpf_sock *socket = skb->sk;
  u64 latest;

  if (!skb->tstamp || !socket)
    return;
  latest = bpf_ktime_get_ns() + DATAGRAM_HORIZON;
  socket = bpf_sk_fullsock(socket);
  if (skb->tstamp > latest && socket && socket->protocol != PROTOCOL_TCP)
    skb->tstamp = latest;
}

SEC("cgroup_skb/egress")
int network_send(struct __sk_buff *skb)
{
  struct tenant tenant = {};
  struct packet packet = {};
  bool is_local = skb->ifindex == LOOPBACK;
  enum answer answer = PASSED;
  u32 uid = uid_of(skb);

  if (!find_tenant(uid, &tenant)) {
    if (uid && !is_local)
      leave_soon(skb);
    return PASSED;
  }
  if (tenant.limit->flags & CANARY)
    return REFUSED;
  if (!is_in_hosts_network(skb->sk))
    return PASSED;
  if (!read_packet(skb, &packet) || !may_send(skb, &tenant, &packet, is_local))
    return REFUSED;
  if (is_local) {
    ADD(&tenant, local_bytes, packet.bytes);
    return PASSED;
  }
  answer = pace(skb, &tenant, &packet);
  if (answer == DROPPED) {
    ADD(&tenant, lost_packets, packet.packets);
    return DROPPED;
  }
  ADD(&tenant, sent_bytes, packet.bytes);
  ADD(&tenant, sent_packets, packet.packets);
  return answer;
}

static __always_inline bool may_begin(struct tenant *tenant, const struct packet *packet)
{
  struct target target = { .address = packet->from, .port = packet->to_port, .protocol = packet->protocol };
  u32 flags = tenant->limit->flags;

  ADD(tenant, connections_in, 1);
  return !(flags & NOT_PUBLIC) || !refuse(AT_PACKET, tenant, PUBLIC, flags & PUBLIC_WATCHED, &target);
}

static __always_inline bool may_receive(struct tenant *tenant, const struct packet *packet)
{
  struct limit *limit = tenant->limit, *shared;
  u64 now = bpf_ktime_get_ns(), key;

  if (limit->receive && !receive_by(tenant->key, limit->receive, packet, now))
    return false;
  shared = reseller_of(limit, &key);
  return !shared || !shared->receive || receive_by(key, shared->receive, packet, now);
}

/*
 * Whether a packet on loopback is a neighbour's, for a socket that is bound to a device: by IPv6 it gets what comes to the
 * device's own addresses, and who sends it could not look it up. Here the sender's socket is looked up.
 */
static __always_inline bool is_neighbors(struct __sk_buff *skb)
{
  struct bpf_sock *socket = skb->sk;
  struct tenant tenant = {}, sender = {};
  struct packet packet = {};
  struct target source, target;
  u32 uid;

  socket = socket ? bpf_sk_fullsock(socket) : 0;
  if (!socket || socket->bound_dev_if <= LOOPBACK || !find_tenant(uid_of(skb), &tenant))
    return false;
  if (!read_packet(skb, &packet) || is_mapped(&packet.to) || !is_in_hosts_network(skb->sk))
    return false;
  if (packet.protocol == PROTOCOL_TCP ? !packet.begins : packet.protocol != PROTOCOL_UDP)
    return false;
  target = target_of(&packet);
  source = (struct target){ .address = packet.from, .port = packet.from_port, .protocol = packet.protocol };
  uid = listener(skb, &source, &packet.to, packet.to_port);
  if (uid == NOBODY_LISTENS || !find_tenant(uid, &sender))
    return false;
  if (sender.key == tenant.key || !(sender.limit->flags & NO_TENANTS))
    return false;
  return refuse(AT_PACKET, &sender, TENANTS, sender.limit->flags & REACH_WATCHED, &target);
}

SEC("cgroup_skb/ingress")
int network_receive(struct __sk_buff *skb)
{
  struct tenant tenant = {};
  struct packet packet = {};

  if (skb->ifindex == LOOPBACK)
    return !is_neighbors(skb);
  if (!find_tenant(uid_of(skb), &tenant))
    return PASSED;
  if (!is_in_hosts_network(skb->sk) || !read_packet(skb, &packet))
    return PASSED;
  if (packet.begins && !may_begin(&tenant, &packet))
    return REFUSED;
  if (!may_receive(&tenant, &packet)) {
    ADD(&tenant, lost_packets, packet.packets);
    return REFUSED;
  }
  ADD(&tenant, received_bytes, packet.bytes);
  ADD(&tenant, received_packets, packet.packets);
  return PASSED;
}

SEC("cgroup/connect4")
int network_connect4(struct bpf_sock_addr *context)
{
  return may_reach(context, mapped(context->user_ip4), false, true);
}

SEC("cgroup/connect6")
int network_connect6(struct bpf_sock_addr *context)
{
  return may_reach(context, address6(context), true, true);
}

SEC("cgroup/sendmsg4")
int network_sendmsg4(struct bpf_sock_addr *context)
{
  return may_reach(context, mapped(context->user_ip4), false, false);
}

SEC("cgroup/sendmsg6")
int network_sendmsg6(struct bpf_sock_addr *context)
{
  return may_reach(context, address6(context), true, false);
}

SEC("cgroup/bind4")
int network_bind4(struct bpf_sock_addr *context)
{
  return may_bind(context, mapped(context->user_ip4));
}

SEC("cgroup/bind6")
int network_bind6(struct bpf_sock_addr *context)
{
  return may_bind(context, address6(context));
}

/* A session's process sends by the connection that root accepted: SSH, FTP, mail boxes. Linux 5.11; left out before. */
SEC("fentry/tcp_sendmsg")
int BPF_PROG(network_adopt, struct sock *socket)
{
  u32 uid = bpf_get_current_uid_gid(), *adopter;
  u64 key;

  if (!uid || socket->sk_uid.val)
    return 0;
  key = tenant_of(uid);
  if (!key)
    return 0;
  adopter = bpf_sk_storage_get(&adopted, socket, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (adopter)
    *adopter = key;
  return 0;
}

char LICENSE[] SEC("license") = "GPL";

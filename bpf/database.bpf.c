// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPU time that database servers spend on each tenant. A thread of a server works for the client from whose socket it
 * has read last, until it reads from another one. The kernel knows who has connected to a unix socket, so nothing of the
 * server is read, and nobody can claim to be somebody else.
 *
 * A socket belongs to the user who connected it, whoever has it now: who passes it on pays for what others ask by it.
 *
 * The kernel brings a thread's time up to date when the thread stops, and at each tick of its timer. So a thread that goes
 * from client to client without stopping is charged as by samples. Servers wait for the next statement in between.
 */
#include "kernel.h"

/* One for each tenant with subordinate uids. */
#define RANGES 65536
#define RANGES_STEPS 17
#include "ranges.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1

/* The uid of clients that are no tenants', and of clients by TCP. */
#define NOBODY (~0U)
/* The unit of starttime in /proc/PID/stat: USER_HZ is 100. */
#define NANOSECONDS_PER_TICK 10000000ULL

struct settings {
  u32 ranges;
};
#include "settings.h"

struct server {
  u64 started; /* the process, in ticks since boot: a number alone may be another's by now */
  u64 since;   /* when it was named here: CLOCK_MONOTONIC, nanoseconds */
};

struct thread {
  u64 started; /* nanoseconds since boot */
  u64 cpu;     /* its CPU time when it began to work for this client, in nanoseconds */
  u32 server;
  u32 uid;
};

struct user {
  u32 server;
  u32 uid;
};

/* By pid. User space names the servers. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, u32);
  __type(value, struct server);
} servers SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, u32);
  __type(value, u32);
} tenants SEC(".maps");

/* By tid: those that have read from a client. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, u32);
  __type(value, struct thread);
} threads SEC(".maps");

/* CPU time in nanoseconds. Only tenants have entries, and NOBODY, so nobody can fill it up. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 131072);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct user);
  __type(value, u64);
} used SEC(".maps");

/* Verified by itself, once. */
__noinline u32 tenant_of(u32 uid)
{
  struct settings *now = current_settings();
  u32 owner;

  if (bpf_map_lookup_elem(&tenants, &uid))
    return uid;
  owner = now && uid ? owner_in_ranges(uid, now->ranges) : 0;
  return owner ? owner : NOBODY;
}

/* Returns the server that the task works in, and its pid. */
static __always_inline struct server *server_of(struct task_struct *task, u32 *pid)
{
  struct server *server;

  *pid = task->tgid;
  server = bpf_map_lookup_elem(&servers, pid);
  if (!server)
    return 0;
  if (BPF_CORE_READ(task, group_leader, start_boottime) / NANOSECONDS_PER_TICK != server->started)
    return 0;
  return server;
}

/*
 * Returns whether the socket is one that the server has accepted, and whose client it is. An accepted unix socket has the
 * address of the server's own one; one by which the server is a client itself has none, and what it does with that is for
 * the client that made it do so. The real uid counts, as a setuid program works for its caller.
 */
static __always_inline bool client_of(struct socket *socket, u32 *uid)
{
  struct sock *sock = socket->sk;
  u16 family = BPF_CORE_READ(sock, __sk_common.skc_family);
  const struct cred *peer;

  if (socket->type != SOCK_STREAM)
    return false;
  *uid = NOBODY;
  if (family == AF_INET || family == AF_INET6)
    return true;
  if (family != AF_UNIX || !BPF_CORE_READ((struct unix_sock *)sock, addr))
    return false;
  peer = BPF_CORE_READ(sock, sk_peer_cred);
  if (peer)
    *uid = tenant_of(BPF_CORE_READ(peer, uid.val));
  return true;
}

static __always_inline void charge(struct thread *thread, u64 cpu)
{
  struct user user = { .server = thread->server, .uid = thread->uid };
  u64 since = cpu - thread->cpu;
  u64 *sum = bpf_map_lookup_elem(&used, &user);

  if (cpu < thread->cpu)
    return;
  /* Another thread may have made it meanwhile. */
  if (!sum && bpf_map_update_elem(&used, &user, &since, BPF_NOEXIST))
    sum = bpf_map_lookup_elem(&used, &user);
  else if (!sum)
    return;
  if (sum)
    __sync_fetch_and_add(sum, since);
}

SEC("fentry/security_socket_recvmsg")
int BPF_PROG(database_receive, struct socket *socket)
{
  struct task_struct *task = bpf_get_current_task_btf();
  struct thread fresh = {}, *thread;
  struct server *server;
  u32 tid = task->pid;
  u32 pid, uid;

  server = server_of(task, &pid);
  if (!server || !client_of(socket, &uid))
    return 0;
  fresh.started = task->start_boottime;
  fresh.cpu = task->se.sum_exec_runtime;
  fresh.server = pid;
  fresh.uid = uid;
  thread = bpf_map_lookup_elem(&threads, &tid);
  if (thread && thread->started == fresh.started && thread->server == pid) {
    charge(thread, fresh.cpu);
    thread->cpu = fresh.cpu;
    thread->uid = uid;
    return 0;
  }
  /* A new thread has been started for its first client. */
  if (task->start_time >= server->since)
    fresh.cpu = 0;
  bpf_map_update_elem(&threads, &tid, &fresh, BPF_ANY);
  return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(database_exit, struct task_struct *task)
{
  u32 tid = task->pid;
  struct thread *thread = bpf_map_lookup_elem(&threads, &tid);

  if (!thread)
    return 0;
  if (thread->started == task->start_boottime)
    charge(thread, task->se.sum_exec_runtime);
  bpf_map_delete_elem(&threads, &tid);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Strict placement: no task becomes a tenant's outside that tenant's cgroup. setuid and its like fail there, before the
 * tenant's first instruction, and so do setuid programs that the tenant owns. A process that is a tenant's already, or is
 * in its cgroup, may change its uid as before.
 *
 * A tenant's cgroup is known by its name and by the identity of its parent, since systemd makes and removes it. So no
 * other cgroup of that name counts, wherever a tenant may make some.
 *
 * Tenants cannot make the kernel load modules either, by asking for a protocol or a file system that it has not loaded.
 */
#define EVENTS_BYTES (1 << 18)

#include "kernel.h"
#include "events.h"

/* One for each tenant. */
#define RANGES 65536
#define RANGES_STEPS 17
#include "ranges.h"

#define EPERM 1
#define NAME_BYTES 40
/* Cgroups of an event: the task's own one, and those above it. */
#define GROUPS 4

enum mode { MODE_OFF, MODE_REFUSE, MODE_WATCH };
enum what { BECAME_TENANT, ASKED_FOR_MODULE, RAN_SETUID };
enum counter { COUNT_UIDS, COUNT_MODULES, COUNTERS };
#include "counters.h"

struct settings {
  u32 placement;
  u32 modules;
  u32 ranges;
};
#include "settings.h"

struct place {
  u64 parent; /* the inode of the directory */
  u32 level;  /* of the parent, below the root of the hierarchy */
  char name[NAME_BYTES];
};

/* Is nowhere: refused in every mode, which shows that these programs are asked. */
#define NOWHERE (~0U)

/* The events that user space reads: src/placement/core/strict-event.ts. */
struct event {
  u64 nanoseconds; /* since boot */
  u64 cgroup;      /* that it was in */
  u32 pid;
  u32 from; /* uids */
  u32 to;
  u32 tenant;
  u32 what;
  u32 mode;
  u32 parent; /* the pid of the process that started it */
  u32 unused;
  char command[16];
  char name[32];           /* of the module, or of the setuid program */
  char groups[GROUPS][64]; /* names: its cgroup, the one above, … */
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, u32);
  __type(value, struct place);
} tenants SEC(".maps");

/* Whose a uid is, by itself or as one of its subordinate ones; 0: nobody's. Verified by itself, once. */
__noinline u32 tenant_of(u32 uid, u32 known)
{
  if (!uid)
    return 0;
  if (bpf_map_lookup_elem(&tenants, &uid))
    return uid;
  return owner_in_ranges(uid, known);
}

static __always_inline bool is_named(const char *name, const char *wanted)
{
  char found[NAME_BYTES] = {};
  int at;

  bpf_probe_read_kernel_str(found, sizeof(found), name);
  for (at = 0; at < NAME_BYTES; at++) {
    if (found[at] != wanted[at])
      return false;
    if (!found[at])
      return true;
  }
  return false;
}

static __always_inline bool is_inside(struct place *place)
{
  struct task_struct *task = (void *)bpf_get_current_task();
  struct cgroup *cgroup, *own;
  u32 level;

  if (place->level == NOWHERE)
    return false;
  if (bpf_get_current_ancestor_cgroup_id(place->level) != place->parent)
    return false;
  cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
  level = place->level + 1;
  /* As deep as the kernel lets cgroups be is far more; ours are at most at the fifth level. */
  if (level > 15 || BPF_CORE_READ(cgroup, level) < (int)level)
    return false;
  own = 0;
  bpf_core_read(&own, sizeof(own), &cgroup->ancestors[level]);
  return own && is_named(BPF_CORE_READ(own, kn, name), place->name);
}

static __always_inline void name_groups(struct event *event, struct task_struct *task)
{
  struct cgroup *cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
  int level = BPF_CORE_READ(cgroup, level);
  int at;

  for (at = 0; at < GROUPS; at++) {
    struct cgroup *above = 0;

    /* The root has no name. */
    if (level - at < 1 || level - at > 255)
      return;
    bpf_core_read(&above, sizeof(above), &cgroup->ancestors[level - at]);
    if (above)
      bpf_probe_read_kernel_str(event->groups[at], sizeof(event->groups[at]), BPF_CORE_READ(above, kn, name));
  }
}

static __always_inline struct event *new_event(u32 what, u32 mode, u32 tenant)
{
  struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  struct task_struct *task = (void *)bpf_get_current_task();

  if (!event)
    return 0;
  __builtin_memset(event, 0, sizeof(*event));
  event->nanoseconds = bpf_ktime_get_ns();
  event->cgroup = bpf_get_current_cgroup_id();
  event->pid = bpf_get_current_pid_tgid() >> 32;
  event->parent = BPF_CORE_READ(task, real_parent, tgid);
  event->tenant = tenant;
  event->what = what;
  event->mode = mode;
  bpf_get_current_comm(event->command, sizeof(event->command));
  name_groups(event, task);
  return event;
}

/* Returns by branches: the verifier of 6.12 must see that the result is 0 or -EPERM. */
static __always_inline int as(u32 mode)
{
  if (mode != MODE_REFUSE)
    return 0;
  barrier();
  return -EPERM;
}

/*
 * Whose a task is that has these credentials: the owner of both its real and its effective uid. With only one of them it
 * is a daemon of root that acts as a tenant for a moment, as sshd does to look at files and pam_keyinit to make a keyring,
 * or a setuid program that a tenant has started. Such a one runs no program of the tenant's; to start one it has to
 * take on the other, or to pass strict_exec.
 */
static __always_inline u32 owner_of(const struct cred *cred, u32 known)
{
  u32 uid = BPF_CORE_READ(cred, uid.val), effective = BPF_CORE_READ(cred, euid.val);
  u32 owner;

  if (!uid || !effective)
    return 0;
  owner = tenant_of(effective, known);
  return uid == effective || tenant_of(uid, known) == owner ? owner : 0;
}

/* Decides about a task that would become the tenant's. */
static __always_inline int judge(struct settings *now, u32 tenant, u32 what, u32 from, u32 to, const unsigned char *name)
{
  struct place *place = bpf_map_lookup_elem(&tenants, &tenant);
  struct event *event;

  if (!place || is_inside(place))
    return 0;
  /* Only the self-test asks for that: it is neither counted nor reported. */
  if (place->level == NOWHERE)
    return -EPERM;
  count(COUNT_UIDS);
  event = new_event(what, now->placement, tenant);
  if (event) {
    event->from = from;
    event->to = to;
    if (name)
      bpf_probe_read_kernel_str(event->name, sizeof(event->name), name);
    bpf_ringbuf_submit(event, 0);
  }
  return as(now->placement);
}

SEC("lsm/task_fix_setuid")
int BPF_PROG(placement_setuid, struct cred *new, const struct cred *old, int flags, int before)
{
  struct settings *now = current_settings();
  u32 tenant;

  if (before)
    return before;
  if (!now || now->placement == MODE_OFF)
    return 0;
  tenant = owner_of(new, now->ranges);
  if (!tenant || tenant == owner_of(old, now->ranges))
    return 0;
  return judge(now, tenant, BECAME_TENANT, BPF_CORE_READ(old, uid.val), BPF_CORE_READ(new, uid.val), 0);
}

/* A program that starts with a tenant's effective uid: its file is setuid, or its caller had only that one of the tenant's. */
SEC("lsm/bprm_creds_from_file")
int BPF_PROG(placement_exec, struct linux_binprm *bprm, const struct file *file, int before)
{
  struct settings *now = current_settings();
  struct task_struct *task = (void *)bpf_get_current_task();
  const struct cred *old = BPF_CORE_READ(task, cred);
  u32 effective = BPF_CORE_READ(bprm, cred, euid.val);
  u32 tenant;

  if (before)
    return before;
  if (!now || now->placement == MODE_OFF || !effective)
    return 0;
  /* The uids stay as they were, of one user: the most frequent case. */
  if (effective == BPF_CORE_READ(old, euid.val) && effective == BPF_CORE_READ(old, uid.val))
    return 0;
  tenant = tenant_of(effective, now->ranges);
  if (!tenant || tenant == owner_of(old, now->ranges))
    return 0;
  return judge(now, tenant, RAN_SETUID, BPF_CORE_READ(old, euid.val), effective, BPF_CORE_READ(file, f_path.dentry, d_name.name));
}

SEC("lsm/kernel_module_request")
int BPF_PROG(placement_module, char *name, int before)
{
  struct settings *now = current_settings();
  struct event *event;
  u32 uid = bpf_get_current_uid_gid();
  u32 tenant;

  if (before)
    return before;
  if (!now || now->modules == MODE_OFF)
    return 0;
  tenant = tenant_of(uid, now->ranges);
  if (!tenant)
    return 0;
  count(COUNT_MODULES);
  event = new_event(ASKED_FOR_MODULE, now->modules, tenant);
  if (event) {
    event->from = uid;
    event->to = uid;
    bpf_probe_read_kernel_str(event->name, sizeof(event->name), name);
    bpf_ringbuf_submit(event, 0);
  }
  return as(now->modules);
}

char LICENSE[] SEC("license") = "GPL";

// SPDX-License-Identifier: GPL-2.0-only
/* The symlink guard: tasks of the listed groups and users follow a symbolic link only where its owner also owns what
 * it resolves to. This is decided within the kernel's own walk along the path, on the inodes that the walk uses, so
 * that nothing can be exchanged between the check and the use.
 *
 * A link is judged when the walk arrives at what the link stands for:
 *
 *   inode_follow_link   a link is about to be followed: its owner is noted, at its depth in the walk
 *   inode_permission    the walk enters a directory, or asks for what it has found: links as deep as the walk, or
 *                       deeper, have been resolved to this inode. chdir, connect, access, truncate and others ask
 *                       once more after their walk has ended, and then all of its links are meant
 *   inode_getattr       stat asks after its walk
 *   inode_create        a file is about to be made by the name at the end of a link: its directory is what counts
 *   file_open           the end of a walk that opens
 *
 * User space fills the maps before the programs are attached, and reads "counters" and "events". */
#define EVENTS_BYTES (1 << 20)
#define REPORTS_PER_SECOND 8

#include "kernel.h"
#include "events.h"
#include "tally.h"

#define EACCES 13
#define ECHILD 10
#define PROC_SUPER_MAGIC 0x9fa0
#define FMODE_CREATED (1U << 20)

/* Links within links. Chains are no deeper than one link; the kernel walks 40, and those below 8 are refused. */
#define DEPTH 8
/* In words that the compiler cannot prove to be superfluous, since each verifier has to see the bound. */
#define SLOT(depth) ({ u32 slot_ = (depth); barrier_var(slot_); slot_ & (DEPTH - 1); })

#define NOBODY (~0U) /* no inode has this uid */
#define NAMES 6
#define NAME_BYTES 32
#define TEXT_BYTES 96

enum mode { NOT_MEANT, REFUSE, WATCH };

struct link {
  u64 inode;
  u32 device;
  u32 owner;
  char text[TEXT_BYTES];          /* where it leads, if the kernel has that at hand */
  char names[NAMES][NAME_BYTES]; /* its name, and those of the directories above it */
};

/* Where the task's walk is. */
struct walk {
  u64 nameidata; /* these two, and the count, tell one walk from the next */
  u64 filename;
  s32 followed;
  u32 mode;
  u32 pending; /* bit n: the link at depth n has not been judged yet */
  u32 owners[DEPTH];
  struct link last;
};

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct walk);
} walks SEC(".maps");

enum kind { GROUP, USER };
struct subject {
  u32 kind;
  u32 id;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, struct subject);
  __type(value, u32); /* enum mode */
} subjects SEC(".maps");

enum trust { LINKS = 1, TARGETS = 2 };
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, u32);   /* uid */
  __type(value, u32); /* whether its links are followed, and whether all may link to what it owns */
} owners SEC(".maps");

enum counter { FOLLOWED, REFUSED, WATCHED, TOO_DEEP, NO_MEMORY, LOST, COUNTERS };
#include "counters.h"

struct event {
  u64 total; /* of this owner's links so far */
  u64 target_inode;
  u32 target_device;
  u32 target_owner;
  u32 pid;
  u32 uid;
  u32 gid;
  u32 mode;
  char program[16];
  struct link link;
};

static __always_inline u32 mode_of(u32 uid, u32 gid)
{
  struct subject subject = { .kind = GROUP, .id = gid };
  u32 *mode = bpf_map_lookup_elem(&subjects, &subject);

  if (mode)
    return *mode;
  subject.kind = USER;
  subject.id = uid;
  mode = bpf_map_lookup_elem(&subjects, &subject);
  return mode ? *mode : NOT_MEANT;
}

static __always_inline bool is_trusted(u32 uid, u32 as)
{
  u32 *trust = bpf_map_lookup_elem(&owners, &uid);

  return trust && (*trust & as);
}

static __always_inline void report(struct walk *walk, u32 owner, struct inode *target)
{
  struct task_struct *task = bpf_get_current_task_btf();
  u64 total = total_to_report(owner);
  struct event *event;

  if (!total)
    return;
  event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event) {
    count(LOST);
    return;
  }
  event->total = total;
  event->target_inode = target->i_ino;
  event->target_device = target->i_sb->s_dev;
  event->target_owner = target->i_uid.val;
  event->pid = bpf_get_current_pid_tgid() >> 32;
  event->uid = BPF_CORE_READ(task, cred, fsuid.val);
  event->gid = BPF_CORE_READ(task, cred, fsgid.val);
  event->mode = walk->mode;
  bpf_get_current_comm(event->program, sizeof(event->program));
  __builtin_memcpy(&event->link, &walk->last, sizeof(event->link));
  event->link.owner = owner;
  bpf_ringbuf_submit(event, 0);
}

/* Links at this depth and below it have been resolved to the inode. */
static __always_inline int judge(struct walk *walk, u32 depth, struct inode *inode)
{
  u32 owner = 0, target = inode->i_uid.val, i;
  bool differs = false;

  /* The loop only searches: what is done with the result would be verified as often as it runs. */
  for (i = 0; i < DEPTH; i++) {
    if (i >= depth && (walk->pending & (1U << i)) && walk->owners[i] != target) {
      owner = walk->owners[i];
      differs = true;
    }
  }
  walk->pending &= depth < DEPTH ? (1U << depth) - 1 : ~0U;
  if (!differs || is_trusted(target, TARGETS))
    return 0;
  report(walk, owner, inode);
  /* Two branches with constants, from which a verifier sees the range of what is returned. */
  if (walk->mode == REFUSE) {
    count(REFUSED);
    return -EACCES;
  }
  count(WATCHED);
  return 0;
}

static __always_inline void remember(struct walk *walk, struct dentry *dentry, struct inode *inode)
{
  struct dentry *at = dentry, *above;
  char *text;
  u32 i;

  walk->last.inode = inode->i_ino;
  walk->last.device = inode->i_sb->s_dev;
  walk->last.text[0] = 0;
  text = BPF_CORE_READ(inode, i_link);
  if (text)
    bpf_probe_read_kernel_str(walk->last.text, TEXT_BYTES, text);
  for (i = 0; i < NAMES; i++) {
    bpf_probe_read_kernel_str(walk->last.names[i], NAME_BYTES, BPF_CORE_READ(at, d_name.name));
    above = BPF_CORE_READ(at, d_parent);
    if (above == at) {
      for (i++; i < NAMES; i++)
        walk->last.names[i][0] = 0;
      break;
    }
    at = above;
  }
}

/* A trusted link is not judged itself, but the links that led to it still are, by what comes next. */
static __always_inline void pass_on(struct walk *walk, u32 depth)
{
  u32 owner = 0, i;
  bool found = false;

  for (i = 0; i < DEPTH; i++) {
    if (i >= depth && (walk->pending & (1U << i))) {
      /* Nothing has two owners. */
      owner = found && owner != walk->owners[i] ? NOBODY : walk->owners[i];
      found = true;
    }
  }
  walk->pending &= (1U << depth) - 1;
  if (!found)
    return;
  walk->owners[SLOT(depth)] = owner;
  walk->pending |= 1U << depth;
}

SEC("lsm/inode_follow_link")
int BPF_PROG(symlinks_follow, struct dentry *dentry, struct inode *inode, bool rcu, int earlier)
{
  struct task_struct *task = bpf_get_current_task_btf();
  struct nameidata *nameidata = task->nameidata;
  struct walk *walk;
  u32 mode, depth;
  s32 followed;
  u64 filename;

  if (earlier)
    return earlier;
  mode = mode_of(BPF_CORE_READ(task, cred, fsuid.val), BPF_CORE_READ(task, cred, fsgid.val));
  walk = bpf_task_storage_get(&walks, task, 0, 0);
  if (!walk && !mode)
    return 0;
  /* A walk within another is the kernel's own, not the task's. */
  if (!nameidata || BPF_CORE_READ(nameidata, saved))
    return 0;
  if (!walk) {
    walk = bpf_task_storage_get(&walks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!walk) {
      count(NO_MEMORY);
      if (mode != REFUSE)
        return 0;
      /* In an RCU walk: the kernel is asked to walk again, in the way that can wait. */
      return rcu ? -ECHILD : -EACCES;
    }
  }
  followed = BPF_CORE_READ(nameidata, total_link_count);
  filename = (u64)BPF_CORE_READ(nameidata, name);
  if (walk->nameidata != (u64)nameidata || walk->filename != filename || followed <= walk->followed)
    walk->pending = 0;
  walk->nameidata = (u64)nameidata;
  walk->filename = filename;
  walk->followed = followed;
  walk->mode = mode;
  if (!mode) {
    walk->pending = 0;
    return 0;
  }
  depth = BPF_CORE_READ(nameidata, depth) - 1; /* the kernel has counted this one already */
  if (depth >= DEPTH) {
    count(TOO_DEEP);
    return mode == REFUSE ? -EACCES : 0;
  }
  count(FOLLOWED);
  /* A file that the task has open, and not a name: /proc/self/fd/3. */
  if (BPF_CORE_READ(inode, i_sb, s_magic) == PROC_SUPER_MAGIC)
    return 0;
  if (is_trusted(inode->i_uid.val, LINKS)) {
    pass_on(walk, depth);
    return 0;
  }
  /* The links of a chain all have one owner, who also owns its end. */
  if (judge(walk, depth, inode))
    return -EACCES;
  walk->owners[SLOT(depth)] = inode->i_uid.val;
  walk->pending |= 1U << depth;
  remember(walk, dentry, inode);
  return 0;
}

static __always_inline struct walk *unjudged(struct task_struct *task)
{
  struct walk *walk = bpf_task_storage_get(&walks, task, 0, 0);

  return walk && walk->pending ? walk : 0;
}

/* Whether the task is still on the walk whose links have been noted. */
static __always_inline bool goes_on(struct walk *walk, struct nameidata *nameidata)
{
  if (walk->nameidata == (u64)nameidata && walk->filename == (u64)BPF_CORE_READ(nameidata, name) &&
      BPF_CORE_READ(nameidata, total_link_count) >= walk->followed)
    return true;
  walk->pending = 0;
  return false;
}

SEC("lsm/inode_permission")
int BPF_PROG(symlinks_permission, struct inode *inode, int mask, int earlier)
{
  struct task_struct *task = bpf_get_current_task_btf();
  struct nameidata *nameidata = task->nameidata;
  struct walk *walk;
  u32 depth;

  if (earlier)
    return earlier;
  walk = unjudged(task);
  if (!walk)
    return 0;
  if (!nameidata)
    return judge(walk, 0, inode);
  if (BPF_CORE_READ(nameidata, saved) || !goes_on(walk, nameidata))
    return 0;
  depth = BPF_CORE_READ(nameidata, depth);
  return depth >= DEPTH ? 0 : judge(walk, depth, inode);
}

SEC("lsm/inode_getattr")
int BPF_PROG(symlinks_getattr, const struct path *path, int earlier)
{
  struct task_struct *task = bpf_get_current_task_btf();
  struct walk *walk;

  if (earlier)
    return earlier;
  walk = unjudged(task);
  /* Within a walk the kernel asks for itself. */
  return walk && !task->nameidata ? judge(walk, 0, path->dentry->d_inode) : 0;
}

SEC("lsm/inode_create")
int BPF_PROG(symlinks_create, struct inode *directory, struct dentry *dentry, u16 mode, int earlier)
{
  struct task_struct *task = bpf_get_current_task_btf();
  struct nameidata *nameidata = task->nameidata;
  struct walk *walk;

  if (earlier)
    return earlier;
  walk = unjudged(task);
  if (!walk || !nameidata || BPF_CORE_READ(nameidata, saved) || !goes_on(walk, nameidata))
    return 0;
  /* The link at whose end the name is still counts as being followed. */
  return judge(walk, 0, directory);
}

SEC("lsm/file_open")
int BPF_PROG(symlinks_open, struct file *file, int earlier)
{
  struct task_struct *task = bpf_get_current_task_btf();
  struct nameidata *nameidata = task->nameidata;
  struct walk *walk;

  if (earlier)
    return earlier;
  walk = unjudged(task);
  if (!walk || !nameidata || BPF_CORE_READ(nameidata, saved) || !goes_on(walk, nameidata))
    return 0;
  if (file->f_mode & FMODE_CREATED) {
    walk->pending = 0;
    return 0;
  }
  return judge(walk, 0, file->f_inode);
}

char terms[] SEC("license") = "GPL";

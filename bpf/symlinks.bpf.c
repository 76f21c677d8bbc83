// SPDX-License-Identifier: GPL-2.0-only
/* The symlink guard: tasks of the listed groups and users follow a symbolic link only where its owner also owns what
 * it resolves to. This is decided within the kernel's own walk along the path, on the inodes that the walk uses, so
 * that nothing can be swapped between the check and the use.
 *
 * A link is judged when the walk arrives at what the link stands for:
 *
 *   inode_follow_link   a link is about to be followed: its owner is noted, at its depth in the walk
 *   inode_permission    the walk enters a directory, or asks for what it has found: links as deep as the walk, or
 *                       deeper, have been resolved to this inode. chdir, connect, access, truncate and others ask
 *                       once more after their walk has ended, and then all of its links are meant
 *   inode_getattr       stat asks after its walk; sb_statfs, inode_getxattr, inode_listxattr, inode_get_acl,
 *                       inode_file_getattr, path_chmod and path_chown are the same for others
 *   inode_create        a file is about to be made by the name at the end of a link: its directory is what counts
 *   file_open           the end of a walk that opens
 *   vfs_open, do_dentry_open   the end of one with O_PATH, which the kernel asks nobody about: see refused.h
 *
 * User space fills the maps before the programs are attached, and reads "counters" and "events". */
#define EVENTS_BYTES (1 << 20)
#define REPORTS_PER_SECOND 8

#include "kernel.h"
#include "events.h"
#include "tally.h"
#include "refused.h"

#define EACCES 13
#define ECHILD 10
#define PROC_SUPER_MAGIC 0x9fa0
#define FUSE_SUPER_MAGIC 0x65735546
#define O_PATH 010000000
#define FMODE_CREATED (1U << 20)

/* Links within links. Chains are no deeper than one link; the kernel walks 40, and those below 8 are refused. */
#define DEPTH 8
/* Written so that the compiler cannot optimize it away, since each verifier has to see the bound. */
#define SLOT(depth) ({ u32 slot_ = (depth); barrier_var(slot_); slot_ & (DEPTH - 1); })

#define NOBODY (~0U) /* who owns nothing, not even what the kernel knows no owner of */
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
  u32 jumped;  /* it has gone through a file that some task has open: /proc/self/fd/3 */
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

/* A tenant owns tens of thousands of subordinate uids. Each block of uids has this many reports a second, so that a tenant
 * can neither fill the ring nor make the totals of others be forgotten. */
#define FIRST_SUBORDINATE 65536
#define BLOCK_REPORTS_PER_SECOND 64

struct block {
  u64 second;
  u64 reported; /* in that second */
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 8192);
  __type(key, u32); /* uid / 65536 */
  __type(value, struct block);
} blocks SEC(".maps");

static __always_inline bool has_been_told_enough(u32 owner)
{
  u64 second = bpf_ktime_get_ns() / NS_PER_SECOND;
  struct block first = { .second = second, .reported = 1 };
  u32 key = owner / FIRST_SUBORDINATE;
  struct block *block;

  if (!key)
    return false;
  block = bpf_map_lookup_elem(&blocks, &key);
  if (!block) {
    bpf_map_update_elem(&blocks, &key, &first, BPF_ANY);
    return false;
  }
  if (block->second != second) {
    block->second = second;
    block->reported = 0;
  }
  return __sync_fetch_and_add(&block->reported, 1) >= BLOCK_REPORTS_PER_SECOND;
}

static __always_inline void report(struct walk *walk, u32 owner, struct inode *target)
{
  struct task_struct *task = bpf_get_current_task_btf();
  struct event *event;
  u64 total;

  if (has_been_told_enough(owner)) {
    count(LOST);
    return;
  }
  total = total_to_report(owner);
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

/* A file system that a program serves can pretend anything about a link, and any user may mount one. A file system that
 * was mounted in a user namespace is its creator's. */
static __always_inline u32 owner_of(struct inode *link)
{
  if (BPF_CORE_READ(link, i_sb, s_magic) == FUSE_SUPER_MAGIC || BPF_CORE_READ(link, i_sb, s_user_ns, level) > 0)
    return NOBODY;
  return link->i_uid.val;
}

/* Whether to refuse the inode to which the links at this depth and below it have been resolved. */
static __always_inline bool is_wrong(struct walk *walk, u32 depth, struct inode *inode)
{
  u32 owner = 0, target = inode->i_uid.val, i;
  bool differs = false;

  /* The loop only searches: the verifier would check any further work once per iteration. */
  for (i = 0; i < DEPTH; i++) {
    if (i >= depth && (walk->pending & (1U << i)) && (walk->owners[i] != target || target == NOBODY)) {
      owner = walk->owners[i];
      differs = true;
    }
  }
  walk->pending &= depth < DEPTH ? (1U << depth) - 1 : ~0U;
  if (!differs || is_trusted(target, TARGETS))
    return false;
  report(walk, owner, inode);
  count(walk->mode == REFUSE ? REFUSED : WATCHED);
  return walk->mode == REFUSE;
}

/* Returns constants in two branches, from which a verifier sees the range of the result. */
static __always_inline int judge(struct walk *walk, u32 depth, struct inode *inode)
{
  if (is_wrong(walk, depth, inode))
    return -EACCES;
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
  u32 mode, depth, owner;
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
  if (walk->nameidata != (u64)nameidata || walk->filename != filename || followed <= walk->followed) {
    walk->pending = 0;
    walk->jumped = false;
  }
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
  if (BPF_CORE_READ(inode, i_sb, s_magic) == PROC_SUPER_MAGIC) {
    walk->jumped = true;
    return 0;
  }
  owner = owner_of(inode);
  if (is_trusted(owner, LINKS)) {
    pass_on(walk, depth);
    return 0;
  }
  /* The links of a chain all have one owner, who also owns its end. */
  if (judge(walk, depth, inode))
    return -EACCES;
  /* Should the walk be one of O_PATH, there has to be room for what is refused at its end. */
  if (mode == REFUSE && refused_are_full()) {
    count(NO_MEMORY);
    return -EACCES;
  }
  walk->owners[SLOT(depth)] = owner;
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

/* Whether the task comes to the inode by a descriptor that should not be there. */
static __always_inline bool comes_by_refused(struct task_struct *task, struct inode *inode)
{
  struct nameidata *nameidata = task->nameidata;
  struct walk *walk;

  if (!are_refused())
    return false;
  if (!nameidata)
    return is_refused_inode(inode);
  if (BPF_CORE_READ(nameidata, saved))
    return false;
  if (starts_at_refused(task, nameidata))
    return true;
  walk = bpf_task_storage_get(&walks, task, 0, 0);
  return walk && walk->jumped && walk->nameidata == (u64)nameidata &&
    walk->filename == (u64)BPF_CORE_READ(nameidata, name) && is_refused_inode(inode);
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
  if (comes_by_refused(task, inode))
    return -EACCES;
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

/* What a call asks of the inode to which its walk has led. */
static __always_inline int after_walk(struct inode *inode)
{
  struct task_struct *task = bpf_get_current_task_btf();
  struct walk *walk;

  /* Within a walk the kernel asks for itself. No call gets here without an inode; a newer verifier wants that checked. */
  if (!inode || task->nameidata)
    return 0;
  if (comes_by_refused(task, inode))
    return -EACCES;
  walk = unjudged(task);
  return walk ? judge(walk, 0, inode) : 0;
}

SEC("lsm/inode_getattr")
int BPF_PROG(symlinks_getattr, const struct path *path, int earlier)
{
  return earlier ? earlier : after_walk(path->dentry->d_inode);
}

SEC("lsm/sb_statfs")
int BPF_PROG(symlinks_statfs, struct dentry *dentry, int earlier)
{
  return earlier ? earlier : after_walk(dentry->d_inode);
}

SEC("lsm/inode_getxattr")
int BPF_PROG(symlinks_getxattr, struct dentry *dentry, const char *name, int earlier)
{
  return earlier ? earlier : after_walk(dentry->d_inode);
}

SEC("lsm/inode_listxattr")
int BPF_PROG(symlinks_listxattr, struct dentry *dentry, int earlier)
{
  return earlier ? earlier : after_walk(dentry->d_inode);
}

/* Linux 6.2; before, getxattr asks. */
SEC("lsm/inode_get_acl")
int BPF_PROG(symlinks_get_acl, void *idmap, struct dentry *dentry, const char *name, int earlier)
{
  return earlier ? earlier : after_walk(dentry->d_inode);
}

/* Linux 6.17 */
SEC("lsm/inode_file_getattr")
int BPF_PROG(symlinks_file_getattr, struct dentry *dentry, void *attributes, int earlier)
{
  return earlier ? earlier : after_walk(dentry->d_inode);
}

SEC("lsm/path_chmod")
int BPF_PROG(symlinks_chmod, const struct path *path, u16 mode, int earlier)
{
  return earlier ? earlier : after_walk(path->dentry->d_inode);
}

SEC("lsm/path_chown")
int BPF_PROG(symlinks_chown, const struct path *path, u64 uid, u64 gid, int earlier)
{
  return earlier ? earlier : after_walk(path->dentry->d_inode);
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
  if (comes_by_refused(task, file->f_inode))
    return -EACCES;
  walk = unjudged(task);
  if (!walk || !nameidata || BPF_CORE_READ(nameidata, saved) || !goes_on(walk, nameidata))
    return 0;
  if (file->f_mode & FMODE_CREATED) {
    walk->pending = 0;
    return 0;
  }
  return judge(walk, 0, file->f_inode);
}

/* The end of a walk that opens with O_PATH, or of open_tree: the descriptor cannot be refused any more, only its use. */
static __always_inline int opens_path(struct inode *inode, struct file *file)
{
  struct task_struct *task = bpf_get_current_task_btf();
  struct nameidata *nameidata = task->nameidata;
  struct walk *walk;

  if (!(file->f_flags & O_PATH) || !inode)
    return 0;
  /* Of a descriptor that was refused, another one. */
  if (comes_by_refused(task, inode)) {
    refuse_file(file, inode);
    return 0;
  }
  walk = unjudged(task);
  if (!walk || (nameidata && (BPF_CORE_READ(nameidata, saved) || !goes_on(walk, nameidata))))
    return 0;
  if (is_wrong(walk, 0, inode))
    refuse_file(file, inode);
  return 0;
}

SEC("fentry/vfs_open")
int BPF_PROG(symlinks_open_path, const struct path *path, struct file *file)
{
  return opens_path(path->dentry->d_inode, file);
}

/* vfs_open calls it, and is compiled into what open_tree calls on Linux 6.1. A file that both see is the same to the second. */
SEC("fentry/do_dentry_open")
int BPF_PROG(symlinks_open_tree, struct file *file)
{
  return opens_path(file->f_path.dentry->d_inode, file);
}

SEC("lsm/file_receive")
int BPF_PROG(symlinks_receive, struct file *file, int earlier)
{
  if (earlier)
    return earlier;
  if (is_refused_file((u64)file))
    return -EACCES;
  return 0;
}

SEC("lsm/file_free_security")
int BPF_PROG(symlinks_free, struct file *file)
{
  forget_file(file);
  return 0;
}

char terms[] SEC("license") = "GPL";

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptors that were opened with O_PATH through a link that must not be followed. The kernel calls no security module at
 * the end of such a walk, so the descriptor exists. Its use is refused for as long as it is open:
 *
 * - A walk that begins at it, by any process. It is recognized by the file.
 * - A call without a walk, such as fstat and fchdir, or one through /proc/self/fd. There only the inode is known: it is
 *   refused to the process that opened it. Other ways to that inode are paths, which have walks.
 * - Passing it on to another process.
 */
#ifndef BULKHEAD_REFUSED_H
#define BULKHEAD_REFUSED_H

#include "kernel.h"

#define REFUSED_FILES 16384
/* The rest is for descriptors that other processors are about to refuse. */
#define REFUSED_FILES_FULL (REFUSED_FILES / 2)

struct refused_inode {
  u64 inode;
  u64 process;
};

/* Their memory is allocated in advance, so that only their number can exhaust it. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, REFUSED_FILES);
  __type(key, u64); /* struct file */
  __type(value, struct refused_inode);
} refused_files SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, REFUSED_FILES);
  __type(key, struct refused_inode);
  __type(value, s64); /* of its files, how many are open */
} refused_inodes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, s64); /* of all refused files, how many are open */
} refused_open SEC(".maps");

static __always_inline s64 *number_refused(void)
{
  u32 zero = 0;

  return bpf_map_lookup_elem(&refused_open, &zero);
}

/* Called at each step of each walk on the host. There are such descriptors only during an attack. */
static __always_inline bool are_refused(void)
{
  s64 *number = number_refused();

  return number && *number > 0;
}

static __always_inline bool refused_are_full(void)
{
  s64 *number = number_refused();

  return !number || *number >= REFUSED_FILES_FULL;
}

static __always_inline u64 current_process(void)
{
  return bpf_get_current_pid_tgid() >> 32;
}

static __always_inline bool is_refused_inode(struct inode *inode)
{
  struct refused_inode key = { .inode = (u64)inode, .process = current_process() };

  return bpf_map_lookup_elem(&refused_inodes, &key) != 0;
}

static __always_inline bool is_refused_file(u64 file)
{
  return are_refused() && bpf_map_lookup_elem(&refused_files, &file) != 0;
}

/* Whether the walk is one of openat and the like that begins at such a descriptor. */
static __always_inline bool starts_at_refused(struct task_struct *task, struct nameidata *nameidata)
{
  const char *name = BPF_CORE_READ(nameidata, name, name);
  s32 descriptor = BPF_CORE_READ(nameidata, dfd);
  struct file *file = 0;
  char first = 0;

  bpf_probe_read_kernel(&first, sizeof(first), name);
  if (descriptor < 0 || first == '/')
    return false;
  bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(task, files, fdt, fd) + descriptor);
  return is_refused_file((u64)file);
}

static __always_inline void refuse_file(struct file *file, struct inode *inode)
{
  struct refused_inode value = { .inode = (u64)inode, .process = current_process() };
  u64 key = (u64)file;
  s64 one = 1, *number = number_refused(), *of_inode;

  if (!number || bpf_map_update_elem(&refused_files, &key, &value, BPF_NOEXIST))
    return;
  if (bpf_map_update_elem(&refused_inodes, &value, &one, BPF_NOEXIST)) {
    of_inode = bpf_map_lookup_elem(&refused_inodes, &value);
    if (of_inode)
      __sync_fetch_and_add(of_inode, 1);
  }
  __sync_fetch_and_add(number, 1);
}

/* Called when a file ends, before its memory is another's. */
static __always_inline void forget_file(struct file *file)
{
  s64 *number = number_refused(), *of_inode;
  struct refused_inode *found, value;
  u64 key = (u64)file;

  if (!number || *number <= 0)
    return;
  found = bpf_map_lookup_elem(&refused_files, &key);
  if (!found)
    return;
  value = *found;
  if (bpf_map_delete_elem(&refused_files, &key))
    return;
  __sync_fetch_and_add(number, -1);
  of_inode = bpf_map_lookup_elem(&refused_inodes, &value);
  if (of_inode && __sync_fetch_and_add(of_inode, -1) <= 1)
    bpf_map_delete_elem(&refused_inodes, &value);
}

#endif

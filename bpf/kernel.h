/* SPDX-License-Identifier: GPL-2.0-only */
/* The members of the kernel's structures that the programs use. They are found by name in the running kernel's own type
 * information when the programs are loaded. So one object fits all kernels. */
#ifndef BULKHEAD_KERNEL_H
#define BULKHEAD_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u16 __sum16;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;
#define true 1
#define false 0

/* Source: include/uapi/linux/bpf.h. */
enum bpf_map_type {
  BPF_MAP_TYPE_HASH = 1,
  BPF_MAP_TYPE_ARRAY = 2,
  BPF_MAP_TYPE_PERCPU_HASH = 5,
  BPF_MAP_TYPE_PERCPU_ARRAY = 6,
  BPF_MAP_TYPE_LRU_HASH = 9,
  BPF_MAP_TYPE_LPM_TRIE = 11,
  BPF_MAP_TYPE_SK_STORAGE = 24,
  BPF_MAP_TYPE_RINGBUF = 27,
  BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_F_NO_PREALLOC = 1 };
enum { BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
  u32 val;
} kuid_t;
typedef struct {
  u32 val;
} kgid_t;

typedef struct {
  u64 val; /* two halves before Linux 6.3, in the same order */
} kernel_cap_t;

struct cred {
  kuid_t uid;
  kgid_t gid;
  kuid_t euid;
  kgid_t egid;
  kuid_t fsuid;
  kgid_t fsgid;
  kernel_cap_t cap_bset;
};

struct filename {
  const char *name;
};

struct nameidata {
  unsigned depth;
  int total_link_count;
  struct nameidata *saved;
  struct filename *name;
  int dfd;
};

struct kernfs_node {
  const char *name;
};

struct cgroup {
  struct kernfs_node *kn;
  int level;
  struct cgroup *ancestors[1]; /* Linux 6.1 */
};

struct css_set {
  struct cgroup *dfl_cgrp;
};

struct ns_common {
  unsigned int inum;
};

struct mnt_namespace {
  struct ns_common ns;
};

struct nsproxy {
  struct mnt_namespace *mnt_ns;
};

struct fs_struct;
struct mm_struct;
struct fdtable {
  struct file **fd;
};

struct files_struct {
  struct fdtable *fdt;
};

struct sched_entity {
  u64 sum_exec_runtime;
};

struct task_struct {
  int pid;
  int tgid;
  struct sched_entity se;
  u64 start_time;     /* nanoseconds of CLOCK_MONOTONIC */
  u64 start_boottime; /* of CLOCK_BOOTTIME; Linux 5.5 */
  struct task_struct *group_leader;
  struct task_struct *real_parent;
  struct mm_struct *mm;
  const struct cred *cred;
  struct fs_struct *fs;
  struct files_struct *files;
  struct nsproxy *nsproxy;
  struct css_set *cgroups;
  struct nameidata *nameidata;
};

struct user_namespace {
  int level;
};

struct block_device;
struct super_block {
  u32 s_dev;
  struct block_device *s_bdev;
  unsigned long s_magic;
  struct user_namespace *s_user_ns;
};

struct inode {
  u16 i_mode;
  kuid_t i_uid;
  kgid_t i_gid;
  unsigned long i_ino;
  struct super_block *i_sb;
  char *i_link;
};

struct qstr {
  const unsigned char *name;
};

struct dentry {
  struct dentry *d_parent;
  struct qstr d_name;
  struct inode *d_inode;
};

struct vfsmount {
  struct super_block *mnt_sb;
  int mnt_flags;
};

struct mount {
  struct vfsmount mnt;
  struct mnt_namespace *mnt_ns;
  const char *mnt_devname;
};

struct path {
  struct vfsmount *mnt;
  struct dentry *dentry;
};

struct fs_struct {
  struct path root;
};

struct file {
  struct path f_path;
  u32 f_mode;
  u32 f_flags;
  struct inode *f_inode;
};

struct mm_struct {
  struct file *exe_file;
};

struct linux_binprm {
  struct file *file;
  struct cred *cred; /* what the task will have */
  const char *filename;
};

struct net {
  struct ns_common ns;
};

typedef struct {
  struct net *net;
} possible_net_t;

struct net_device {
  unsigned int mtu;
};

struct sk_buff {
  struct net_device *dev;
};

struct sock_common {
  u16 skc_family;
  int skc_bound_dev_if;
  possible_net_t skc_net;
};

struct sock {
  struct sock_common __sk_common;
  struct socket *sk_socket;
  kuid_t sk_uid;
  const struct cred *sk_peer_cred;
};

struct socket {
  short type;
  struct sock *sk;
};

struct socket_alloc {
  struct socket socket;
  struct inode vfs_inode;
};

struct tcp_sock {
  bool is_mptcp; /* Linux 5.6 */
};

struct sockaddr_un {
  u16 sun_family;
  char sun_path[108];
};

struct unix_address {
  int len; /* with the family */
  struct sockaddr_un name[0];
};

struct unix_sock {
  struct unix_address *addr;
};

#pragma clang attribute pop

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Isolates jails where a mount namespace alone cannot:
 *
 *   - processes of the same uid in another mount namespace, whose root, files and memory would lead out or in
 *   - abstract sockets, which belong to no file system
 *   - files and directories that arrive as descriptors
 *   - user namespaces, in which the tenant would be root
 *   - daemons of the host that become the tenant and start programs that it named in a file, as mail servers do
 *
 * The programs decide by uid, wherever a process is: they restrict processes outside and inside alike. So nothing here
 * has to change when a jail is built again. A jail is recognized by the source of the mount that is its root, which only
 * the builder of jails sets.
 */
#define EVENTS_BYTES (1 << 17)
#define REPORTS_PER_SECOND 5

#include "kernel.h"
#include "events.h"
#include "tally.h"

#define EPERM 1
#define S_IFMT 0170000
#define S_IFDIR 0040000
#define S_ISUID 0004000
#define S_ISGID 0002000
#define S_IWGRP 0000020
#define S_IWOTH 0000002
#define FMODE_PATH (1 << 14)
#define PROT_EXEC 4
#define TMPFS_MAGIC 0x01021994
#define FUSE_SUPER_MAGIC 0x65735546
#define PTRACE_MODE_NOAUDIT 0x04
#define PTRACE_MODE_ATTACH 0x02
#define TENANTS 65536
#define NAME_BYTES 32
#define PROGRAM_BYTES 16
/* src/jail/core/layout.ts has the same. */
#define JAIL_SOURCE "bulkhead-jail"

/* Also the numbers of the counters. */
enum what { PROCESS, SOCKET, DESCRIPTOR, USER_NAMESPACE, PROGRAM, LOST, COUNTERS };
#include "counters.h"

/*
 * The self-test's uid is nobody's. It shows whether anything is refused, and is neither counted nor reported. A tenant
 * that has a jail only for sites starts programs outside, as before.
 */
enum who { TENANT, SELF_TEST, ONLY_SITES };

struct settings {
  u32 host;   /* number of the host's mount namespace */
  u32 device; /* of the directory with the broker's programs, as the kernel numbers devices */
  u64 inode;  /* of that directory */
};
#include "settings.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, TENANTS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, u32);   /* uid */
  __type(value, u32); /* enum who */
} tenants SEC(".maps");

/*
 * Programs that may start outside, by name. LAUNCHED: programs that the broker runs, if they are setuid or setgid. Only
 * LAUNCHER may start them: bulkhead-exec, which nobody but root can run outside a jail. HELPER: programs with such a bit
 * that others may start as the tenant, since they start nothing of the tenant's choice and run no configuration of the
 * tenant's.
 */
enum program { LAUNCHER = 1, LAUNCHED = 2, HELPER = 3 };

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, char[PROGRAM_BYTES]); /* zeros after it */
  __type(value, u32);
} programs SEC(".maps");

/* What user space reads: src/jail/core/refusal.ts. */
struct event {
  u64 total; /* of this tenant so far */
  u32 tenant;
  u32 what;
  u32 pid;
  u32 other;     /* a process, or 0 */
  u32 other_uid; /* of that process, or of whoever made the socket */
  u32 unused;
  char program[16];
  char name[NAME_BYTES]; /* of the socket */
};

static __always_inline bool is_tenant(u32 uid)
{
  return uid && bpf_map_lookup_elem(&tenants, &uid);
}

/*
 * Returns the tenant that acts, 0 for none: by the real uid, or by the file-system uid, which root's daemons use to act
 * for somebody.
 */
static __always_inline u32 tenant_of(const struct cred *cred)
{
  u32 uid = BPF_CORE_READ(cred, uid.val);
  u32 fsuid = BPF_CORE_READ(cred, fsuid.val);

  if (is_tenant(uid))
    return uid;
  return is_tenant(fsuid) ? fsuid : 0;
}

static __always_inline u32 current_tenant(void)
{
  struct task_struct *task = bpf_get_current_task_btf();

  return tenant_of(BPF_CORE_READ(task, cred));
}

/*
 * The bounding set of commands that "bulkhead exec --without-jail" starts for administrators, as in entry/become.c.
 * Only root can set it, since capabilities can be dropped from a bounding set and never added.
 */
#define CAP(number) (1ULL << (number))
#define BOUNDING_SET_WITHOUT_JAIL                                                                                      \
  (CAP(0) | CAP(1) | CAP(3) | CAP(4) | CAP(5) | CAP(6) | CAP(7) | CAP(8) | CAP(10) | CAP(13) | CAP(18) | CAP(28) |     \
   CAP(29))

/* Returns the tenant whose programs these credentials would run, if they may run in the jail only; else 0. */
static __always_inline u32 jailed_of(const struct cred *cred)
{
  u32 uid = BPF_CORE_READ(cred, uid.val);
  u32 euid = BPF_CORE_READ(cred, euid.val);
  u64 bounding = 0;
  u32 *who;

  who = bpf_map_lookup_elem(&tenants, &euid);
  if (!who) {
    euid = uid;
    who = bpf_map_lookup_elem(&tenants, &euid);
  }
  if (!who || *who == ONLY_SITES)
    return 0;
  bpf_core_read(&bounding, sizeof(bounding), &cred->cap_bset);
  return bounding == BOUNDING_SET_WITHOUT_JAIL ? 0 : euid;
}

/* A program with root's effective uid is root's, whoever has started it. */
static __always_inline bool is_roots(const struct cred *cred)
{
  return !BPF_CORE_READ(cred, euid.val);
}

/* Whether it is the root of a jail that the task sees as its root. */
static __always_inline bool is_in_jail(struct task_struct *task)
{
  struct vfsmount *root = BPF_CORE_READ(task, fs, root.mnt);
  char source[sizeof(JAIL_SOURCE)] = {};
  const char *name = 0;
  unsigned at;

  if (BPF_CORE_READ(root, mnt_sb, s_magic) != TMPFS_MAGIC)
    return false;
  bpf_probe_read_kernel(&name, sizeof(name),
                        (char *)root - bpf_core_field_offset(struct mount, mnt) +
                          bpf_core_field_offset(struct mount, mnt_devname));
  bpf_probe_read_kernel(source, sizeof(source), name);
  for (at = 0; at < sizeof(JAIL_SOURCE); at++)
    if (source[at] != JAIL_SOURCE[at])
      return false;
  return true;
}

/* 0 for a task that is ending. */
static __always_inline u32 place_of(struct task_struct *task)
{
  return BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
}

static __always_inline struct event *new_event(u32 what, u32 tenant)
{
  u32 *who = bpf_map_lookup_elem(&tenants, &tenant);
  struct event *event;
  u64 total;

  if (!who || *who == SELF_TEST)
    return 0;
  count(what);
  total = total_to_report(tenant);
  if (!total)
    return 0;
  event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event) {
    count(LOST);
    return 0;
  }
  __builtin_memset(event, 0, sizeof(*event));
  event->total = total;
  event->tenant = tenant;
  event->what = what;
  event->pid = bpf_get_current_pid_tgid() >> 32;
  bpf_get_current_comm(event->program, sizeof(event->program));
  return event;
}

static __always_inline void report_process(u32 tenant, struct task_struct *other)
{
  struct event *event = new_event(PROCESS, tenant);

  if (!event)
    return;
  event->other = BPF_CORE_READ(other, tgid);
  event->other_uid = BPF_CORE_READ(other, cred, uid.val);
  bpf_ringbuf_submit(event, 0);
}

static __always_inline bool is_apart(struct task_struct *one, struct task_struct *other)
{
  return place_of(one) != place_of(other);
}

/*
 * Listing /proc in a jail asks about each process of the same uid, without accessing it. That is refused and counted. It is
 * reported only from outside, where listing does not ask.
 */
static __always_inline bool is_worth_telling(struct task_struct *task, unsigned int mode)
{
  struct settings *now = current_settings();

  if (mode & PTRACE_MODE_NOAUDIT)
    return false;
  return (mode & PTRACE_MODE_ATTACH) || (now && now->host == place_of(task));
}

/* The kernel also calls this for root, cwd, fd, ns, mem and the like below /proc/PID, process_vm_readv and pidfd_getfd. */
SEC("lsm/ptrace_access_check")
int BPF_PROG(jail_process, struct task_struct *child, unsigned int mode, int before)
{
  struct task_struct *task = bpf_get_current_task_btf();
  u32 tenant;

  if (before)
    return before;
  tenant = current_tenant();
  if (!tenant || !is_apart(task, child))
    return 0;
  if (is_worth_telling(task, mode))
    report_process(tenant, child);
  else
    count(PROCESS);
  return -EPERM;
}

/* The other way round: a process asks its parent to trace it. */
SEC("lsm/ptrace_traceme")
int BPF_PROG(jail_traceme, struct task_struct *parent, int before)
{
  struct task_struct *task = bpf_get_current_task_btf();
  u32 tenant;

  if (before)
    return before;
  tenant = tenant_of(BPF_CORE_READ(parent, cred));
  if (!tenant || !is_apart(task, parent))
    return 0;
  report_process(tenant, task);
  return -EPERM;
}

static __always_inline bool is_foreign(struct sock *sock, u32 tenant)
{
  struct unix_sock *other = (void *)sock;
  struct unix_address *address = BPF_CORE_READ(other, addr);
  char first = 1;

  if (!address || BPF_CORE_READ(address, len) <= (int)sizeof(u16))
    return false;
  bpf_core_read(&first, sizeof(first), &address->name[0].sun_path[0]);
  return !first && BPF_CORE_READ(sock, sk_uid.val) != tenant;
}

/* Reads no more than the name: the kernel's memory behind it must not leak. */
static __always_inline void read_name(char *name, struct unix_sock *of)
{
  struct unix_address *address = BPF_CORE_READ(of, addr);
  /* Less the family, and the NUL that makes it abstract. */
  u32 bytes = BPF_CORE_READ(address, len) - sizeof(u16) - 1;

  if (bytes >= NAME_BYTES)
    bytes = NAME_BYTES - 1;
  bytes &= NAME_BYTES - 1;
  bpf_probe_read_kernel(name, bytes, &address->name[0].sun_path[1]);
}

static __always_inline int judge_socket(struct sock *sock)
{
  u32 tenant = current_tenant();
  struct event *event;

  if (!tenant || !is_foreign(sock, tenant))
    return 0;
  event = new_event(SOCKET, tenant);
  if (event) {
    event->other_uid = BPF_CORE_READ(sock, sk_uid.val);
    read_name(event->name, (void *)sock);
    bpf_ringbuf_submit(event, 0);
  }
  return -EPERM;
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(jail_connect, struct sock *sock, struct sock *other, struct sock *made, int before)
{
  return before ? before : judge_socket(other);
}

SEC("lsm/unix_may_send")
int BPF_PROG(jail_send, struct socket *sock, struct socket *other, int before)
{
  return before ? before : judge_socket(BPF_CORE_READ(other, sk));
}

/*
 * Whether a descriptor names a place rather than being an open file: a directory, or anything opened with O_PATH, which can
 * be opened through /proc/self/fd, connected to, or mounted.
 */
static __always_inline bool is_place(struct file *file)
{
  return (BPF_CORE_READ(file, f_mode) & FMODE_PATH) || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) == S_IFDIR;
}

/* A place in another mount namespace, passed over a socket or taken from another process. */
SEC("lsm/file_receive")
int BPF_PROG(jail_receive, struct file *file, int before)
{
  struct task_struct *task = bpf_get_current_task_btf();
  struct vfsmount *seen;
  struct mnt_namespace *from = 0;
  struct event *event;
  u32 tenant;

  if (before)
    return before;
  tenant = current_tenant();
  if (!tenant || !is_place(file))
    return 0;
  seen = BPF_CORE_READ(file, f_path.mnt);
  bpf_probe_read_kernel(&from, sizeof(from),
                        (char *)seen - bpf_core_field_offset(struct mount, mnt) +
                          bpf_core_field_offset(struct mount, mnt_ns));
  if (from == BPF_CORE_READ(task, nsproxy, mnt_ns))
    return 0;
  event = new_event(DESCRIPTOR, tenant);
  if (event)
    bpf_ringbuf_submit(event, 0);
  return -EPERM;
}

/* Linux 6.1. */
SEC("lsm/userns_create")
int BPF_PROG(jail_userns, const struct cred *cred, int before)
{
  struct event *event;
  u32 tenant;

  if (before)
    return before;
  tenant = tenant_of(cred);
  if (!tenant)
    return 0;
  event = new_event(USER_NAMESPACE, tenant);
  if (event)
    bpf_ringbuf_submit(event, 0);
  return -EPERM;
}

static __always_inline int refuse_program(u32 tenant, const char *name)
{
  struct event *event = new_event(PROGRAM, tenant);

  if (event) {
    bpf_probe_read_kernel_str(event->name, sizeof(event->name), name);
    bpf_ringbuf_submit(event, 0);
  }
  return -EPERM;
}

/* Whether it is a copy that the broker has made: only root can write to that directory. */
static __always_inline bool is_brokers(struct file *file)
{
  struct settings *now = current_settings();
  struct inode *directory = BPF_CORE_READ(file, f_path.dentry, d_parent, d_inode);

  return now && now->inode && BPF_CORE_READ(file, f_inode, i_uid.val) == 0 &&
         BPF_CORE_READ(directory, i_ino) == now->inode && BPF_CORE_READ(directory, i_sb, s_dev) == now->device;
}

/*
 * Whether it is root's setuid or setgid program, and the bit has an effect. The file system, no_new_privs or a tracer can
 * prevent that, or the group is the tenant's anyway. Then the dynamic linker would obey the tenant.
 */
static __always_inline bool is_privileged(const struct cred *cred, struct inode *inode)
{
  u32 group = BPF_CORE_READ(inode, i_gid.val);
  u32 mode = BPF_CORE_READ(inode, i_mode);

  if (BPF_CORE_READ(inode, i_uid.val))
    return false;
  if ((mode & S_ISUID) && !BPF_CORE_READ(cred, euid.val))
    return true;
  return (mode & S_ISGID) && BPF_CORE_READ(cred, egid.val) == group && BPF_CORE_READ(cred, gid.val) != group;
}

/* Returns 0 for a program that is not listed: a jail must keep su, sudo, mount and the like from a tenant. */
static __always_inline u32 kind_of(struct file *file)
{
  char name[PROGRAM_BYTES] = {};
  u32 *kind;

  bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
  kind = bpf_map_lookup_elem(&programs, name);
  return kind ? *kind : 0;
}

/* Only root can make a process with a tenant's uid run that program. */
static __always_inline bool is_launcher(struct task_struct *task)
{
  struct file *program = BPF_CORE_READ(task, mm, exe_file);

  return BPF_CORE_READ(program, f_inode, i_uid.val) == 0 && kind_of(program) == LAUNCHER;
}

static __always_inline bool is_let_out(struct task_struct *task, const struct cred *cred, struct file *file)
{
  bool privileged = is_privileged(cred, BPF_CORE_READ(file, f_inode));
  u32 kind = kind_of(file);

  if (kind == HELPER)
    return privileged;
  return is_launcher(task) && (is_brokers(file) || (kind == LAUNCHED && privileged));
}

/*
 * The kernel calls this once for each program, with the file that runs in the end: the interpreter of a script, or that of
 * binfmt_misc. The credentials are those that it will have.
 */
SEC("lsm/bprm_creds_from_file")
int BPF_PROG(jail_exec, struct linux_binprm *bprm, struct file *file, int before)
{
  struct task_struct *task = bpf_get_current_task_btf();
  const struct cred *cred;
  u32 tenant;

  if (before)
    return before;
  cred = BPF_CORE_READ(bprm, cred);
  tenant = jailed_of(cred);
  if (!tenant || is_in_jail(task))
    return 0;
  if (is_roots(cred) && is_roots(BPF_CORE_READ(task, cred)))
    return 0;
  if (is_let_out(task, cred, file))
    return 0;
  return refuse_program(tenant, BPF_CORE_READ(bprm, filename));
}

/*
 * Whether a permitted program may load this library: only root may be able to change it. A user's FUSE file system can
 * pretend that a file is root's.
 */
static __always_inline bool is_trusted(struct inode *inode)
{
  return BPF_CORE_READ(inode, i_uid.val) == 0 && !(BPF_CORE_READ(inode, i_mode) & (S_IWGRP | S_IWOTH)) &&
         BPF_CORE_READ(inode, i_sb, s_magic) != FUSE_SUPER_MAGIC;
}

SEC("lsm/mmap_file")
int BPF_PROG(jail_map, struct file *file, unsigned long asked, unsigned long protection, unsigned long flags, int before)
{
  struct task_struct *task;
  u32 tenant;

  if (before)
    return before;
  if (!(protection & PROT_EXEC) || !file)
    return 0;
  task = bpf_get_current_task_btf();
  tenant = jailed_of(BPF_CORE_READ(task, cred));
  if (!tenant || is_roots(BPF_CORE_READ(task, cred)) || is_in_jail(task) || is_trusted(BPF_CORE_READ(file, f_inode)))
    return 0;
  return refuse_program(tenant, (const char *)BPF_CORE_READ(file, f_path.dentry, d_name.name));
}

char LICENSE[] SEC("license") = "GPL";

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gate for kernel modules: a module loads only if its file is on the list, by the SHA-256 of the file as it lies on
 * disk. The kernel keeps writers off the file from before this hook until it has been read, so the file that was hashed
 * is the file that is loaded. This requires that the kernel itself keeps the contents. A program or another host could
 * serve other contents at each read, so such files are refused.
 *
 * A module that comes from memory, by init_module(2), has no file that could be on a list. It is refused too.
 */
#define EVENTS_BYTES (1 << 17)

#include "kernel.h"
#include "events.h"

#define EPERM 1
#define ENOTBLK 15
#define HASH_ALGO_SHA256 4 /* include/uapi/linux/hash_info.h */

enum mode { MODE_OFF, MODE_REFUSE, MODE_WATCH };
enum how { HOW_FILE, HOW_MEMORY };
/* The entry of a digest on the list. The second is refused in every mode: the self-test's, to show that the kernel calls us. */
enum listing { LISTED_LOADS = 1, LISTED_REFUSED = 2 };

/* Their numbers differ between kernels, and are looked up in the running one. */
enum kernel_read_file_id___here { READING_MODULE = 2, READING_MODULE_COMPRESSED = 7 };
enum kernel_load_data_id___here { LOADING_MODULE = 2 };

struct digest {
  unsigned char bytes[32];
};

/* The events that user space reads: src/modules/core/gate/gate-event.ts. */
struct event {
  __u64 nanoseconds; /* since boot */
  __u32 pid;
  __u32 uid;
  __u32 how;
  __u32 mode;
  __s32 algorithm; /* of the digest; the kernel's choice. Negative: an errno, and no digest. -ENOTBLK: see is_stable */
  __u32 refused;   /* it is not on the list */
  unsigned char digest[32];
  char command[16];
  char name[64];
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 131072);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct digest);
  __type(value, __u8);
} listed SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} mode SEC(".maps");

static __always_inline __u32 current_mode(void)
{
  __u32 zero = 0;
  __u32 *found = bpf_map_lookup_elem(&mode, &zero);

  return found ? *found : MODE_REFUSE;
}

static __always_inline int decide(struct file *file, const unsigned char *digest, long algorithm, __u32 how, __u8 listing)
{
  __u32 now = listing == LISTED_REFUSED ? MODE_REFUSE : current_mode();
  bool ok = listing == LISTED_LOADS;
  struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

  if (event) {
    event->nanoseconds = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    event->uid = bpf_get_current_uid_gid();
    event->how = how;
    event->mode = now;
    event->algorithm = algorithm;
    event->refused = !ok;
    __builtin_memcpy(event->digest, digest, sizeof(event->digest));
    bpf_get_current_comm(event->command, sizeof(event->command));
    event->name[0] = 0;
    if (file)
      bpf_probe_read_kernel_str(event->name, sizeof(event->name),
              BPF_CORE_READ(file, f_path.dentry, d_name.name));
    bpf_ringbuf_submit(event, 0);
  }
  /* Returns by branches: the verifier of 6.12 must see that the result is 0 or -EPERM. */
  if (ok)
    return 0;
  barrier();
  if (now != MODE_REFUSE)
    return 0;
  barrier();
  return -EPERM;
}

/* Newer kernels, such as 7.3, have a separate number for modules that they unpack themselves. */
static __always_inline bool is_module(int id)
{
  if (id == bpf_core_enum_value(enum kernel_read_file_id___here, READING_MODULE))
    return true;
  return bpf_core_enum_value_exists(enum kernel_read_file_id___here, READING_MODULE_COMPRESSED) &&
    id == bpf_core_enum_value(enum kernel_read_file_id___here, READING_MODULE_COMPRESSED);
}

/* Source: include/uapi/linux/magic.h, and fs/zfs of OpenZFS. */
#define RAMFS_MAGIC 0x858458f6
#define TMPFS_MAGIC 0x01021994
#define BTRFS_SUPER_MAGIC 0x9123683e
#define BCACHEFS_SUPER_MAGIC 0xca451a4e
#define ZFS_SUPER_MAGIC 0x2fc12fc1
#define FUSE_SUPER_MAGIC 0x65735546

/* Whether the contents stay the same while nobody writes. An overlay depends on its layers, which cannot be seen here. */
static __always_inline bool is_stable(struct file *file)
{
  struct super_block *super = file->f_inode->i_sb;
  unsigned long magic = BPF_CORE_READ(super, s_magic);

  if (magic == FUSE_SUPER_MAGIC || BPF_CORE_READ(super, s_user_ns, level) > 0)
    return false;
  return BPF_CORE_READ(super, s_bdev) || magic == TMPFS_MAGIC || magic == RAMFS_MAGIC || magic == BTRFS_SUPER_MAGIC ||
    magic == BCACHEFS_SUPER_MAGIC || magic == ZFS_SUPER_MAGIC;
}

SEC("lsm.s/kernel_read_file")
int BPF_PROG(gate_file, struct file *file, int id, bool contents, int before)
{
  /* The largest digest that the kernel may be told to make. */
  unsigned char digest[64] = {};
  __u8 *found = 0;
  long algorithm;

  if (before || !is_module(id) || current_mode() == MODE_OFF)
    return before;
  if (!is_stable(file))
    return decide(file, digest, -ENOTBLK, HOW_FILE, 0);
  algorithm = bpf_ima_file_hash(file, digest, sizeof(digest));
  if (algorithm == HASH_ALGO_SHA256)
    found = bpf_map_lookup_elem(&listed, digest);
  return decide(file, digest, algorithm, HOW_FILE, found ? *found : 0);
}

SEC("lsm/kernel_load_data")
int BPF_PROG(gate_memory, int id, bool contents, int before)
{
  unsigned char digest[64] = {};

  if (before || id != bpf_core_enum_value(enum kernel_load_data_id___here, LOADING_MODULE) || current_mode() == MODE_OFF)
    return before;
  return decide(0, digest, 0, HOW_MEMORY, 0);
}

char LICENSE[] SEC("license") = "GPL";

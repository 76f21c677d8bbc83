/**
 * Numbers of system calls. Sources: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h, and
 * for architectures linux/audit.h.
 */
export const architectures = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
export type Architecture = keyof typeof architectures;

/** Numbers for x86-64 and arm64; `undefined` if an architecture has no such call. */
const numbers: Readonly<Record<string, readonly [number | undefined, number | undefined]>> = {
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  fchroot: [472, 472],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  open_tree_attr: [467, 467],
  setns: [308, 268],
  unshare: [272, 97],
  clone: [56, 220],
  clone3: [435, 435],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  create_module: [174, undefined],
  get_kernel_syms: [177, undefined],
  query_module: [178, undefined],
  reboot: [169, 142],
  swapon: [167, 224],
  swapoff: [168, 225],
  acct: [163, 89],
  syslog: [103, 116],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  ioperm: [173, undefined],
  iopl: [172, undefined],
  modify_ldt: [154, undefined],
  nfsservctl: [180, 42],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  lookup_dcookie: [212, 18],
  open_by_handle_at: [304, 265],
  vhangup: [153, 58],
  uselib: [134, undefined],
  sysfs: [139, undefined],
  _sysctl: [156, undefined],
  fanotify_init: [300, 262],
  personality: [135, 92],
  socket: [41, 198],
  socketpair: [53, 199],
  setsockopt: [54, 208],
  io_setup: [206, 0],
  ioctl: [16, 29],
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  kcmp: [312, 272],
  pidfd_getfd: [438, 438],
  move_pages: [279, 239],
  migrate_pages: [256, 238],
};

export function callNumber(call: string, architecture: Architecture): number | undefined {
  const found = numbers[call];
  if (found === undefined) throw new Error(`No number of the call "${call}"`);
  return found[architecture === 'x64' ? 0 : 1];
}

export const callNames = Object.keys(numbers);

/**
 * Kernel settings that restrict the users of a shared host. One entry a setting; reading, judging, writing, the report
 * and the documentation's table all use this list.
 *
 * Source: Documentation/admin-guide/sysctl of the kernel; settings of one distribution say so.
 */
export interface KernelSetting {
  /** The name on the command line. */
  readonly item: string;
  /** The key in sysctl.d(5). */
  readonly key: string;
  /** The value that is written if the current one is not good. */
  readonly wanted: number;
  readonly isGood: (value: number) => boolean;
  /** The good values, in words. */
  readonly good: string;
  /** The reason why it matters if users do not trust each other. */
  readonly why: string;
  /** Features that may no longer work. */
  readonly breaks: string;
  readonly since: string;
  /** Whether `harden enable` sets it if no item is named: it breaks next to nothing. */
  readonly byDefault: boolean;
  /** Whether the kernel keeps it, once set, until the next boot. */
  readonly oneWay?: true;
  /** Settings of one group are ways to the same: one that is good makes the others unnecessary. */
  readonly group?: string;
}

const userNamespaces = 'user namespaces';
const nothing = 'nothing that is known';
const atLeast = (least: number) => (value: number) => value >= least;
const exactly = (wanted: number) => (value: number) => value === wanted;

export const settings: readonly KernelSetting[] = [
  {
    item: 'protected-symlinks',
    key: 'fs.protected_symlinks',
    wanted: 1,
    isGood: atLeast(1),
    good: '1',
    why: 'a link that a tenant puts into /tmp does not lead programs of root and others elsewhere',
    breaks: nothing,
    since: 'Linux 3.6',
    byDefault: true,
  },
  {
    item: 'protected-hardlinks',
    key: 'fs.protected_hardlinks',
    wanted: 1,
    isGood: atLeast(1),
    good: '1',
    why: "a tenant cannot make a second name of another's file, nor keep an old setuid program alive",
    breaks: 'backups that make hard links as a user who does not own the files',
    since: 'Linux 3.6',
    byDefault: true,
  },
  {
    item: 'protected-regular',
    key: 'fs.protected_regular',
    wanted: 2,
    isGood: atLeast(1),
    good: '1 or 2',
    why: 'a file that a tenant makes in /tmp first is not written by a program of root that expected its own',
    breaks: 'scripts that write as root to files of users in /tmp',
    since: 'Linux 4.19',
    byDefault: true,
  },
  {
    item: 'protected-fifos',
    key: 'fs.protected_fifos',
    wanted: 2,
    isGood: atLeast(1),
    good: '1 or 2',
    why: 'a pipe that a tenant makes in /tmp first does not receive what others meant for a file',
    breaks: 'scripts that write as root to pipes of users in /tmp',
    since: 'Linux 4.19',
    byDefault: true,
  },
  {
    item: 'suid-dumpable',
    key: 'fs.suid_dumpable',
    wanted: 0,
    isGood: (value) => value !== 1,
    good: '0 or 2',
    why: 'a setuid program that a tenant makes crash leaves no memory of root for it to read',
    breaks: 'core dumps of setuid programs',
    since: 'Linux 2.6.13',
    byDefault: true,
  },
  {
    item: 'ptrace',
    key: 'kernel.yama.ptrace_scope',
    wanted: 1,
    isGood: atLeast(1),
    good: '1 or more',
    why: 'a site that was broken into cannot read the memory of other processes of the same account, such as an ssh-agent',
    breaks: 'gdb -p and strace -p by users on processes that they have not started from there',
    since: 'Linux 3.4',
    byDefault: true,
  },
  {
    item: 'bpf',
    key: 'kernel.unprivileged_bpf_disabled',
    wanted: 2,
    isGood: atLeast(1),
    good: '1 or 2',
    why: 'tenants cannot load programs into the kernel, whose verifier has let many a one take the host',
    breaks: 'programs of users that load BPF without privileges, which are rare',
    since: 'Linux 4.4, the value 2 with 5.13',
    byDefault: true,
  },
  {
    item: 'dmesg',
    key: 'kernel.dmesg_restrict',
    wanted: 1,
    isGood: atLeast(1),
    good: '1',
    why: "the kernel's log names processes and files of other tenants, and addresses that help attacks",
    breaks: 'dmesg for users',
    since: 'Linux 2.6.37',
    byDefault: true,
  },
  {
    item: 'kptr',
    key: 'kernel.kptr_restrict',
    wanted: 1,
    isGood: atLeast(1),
    good: '1 or 2',
    why: 'addresses of the kernel help to attack it, and /proc shows them to everyone otherwise',
    breaks: 'perf with symbols of the kernel, for users',
    since: 'Linux 2.6.38',
    byDefault: true,
  },
  {
    item: 'perf',
    key: 'kernel.perf_event_paranoid',
    wanted: 2,
    isGood: atLeast(2),
    good: '2 or more',
    why: 'performance counters of the whole host tell a tenant what others compute',
    breaks: 'perf top and perf -a for users',
    since: 'Linux 2.6.31',
    byDefault: true,
  },
  {
    item: 'tiocsti',
    key: 'dev.tty.legacy_tiocsti',
    wanted: 0,
    isGood: exactly(0),
    good: '0',
    why: "a program of a tenant that root runs on a terminal (su alice) cannot type into root's shell",
    breaks: 'old programs that type for the user, such as mailx of some distributions',
    since: 'Linux 6.2',
    byDefault: true,
  },
  {
    item: 'ldisc',
    key: 'dev.tty.ldisc_autoload',
    wanted: 0,
    isGood: exactly(0),
    good: '0',
    why: 'a tenant cannot make the kernel load modules of old serial lines, which had holes',
    breaks: 'users who set up SLIP, PPP or amateur radio lines without root',
    since: 'Linux 5.1',
    byDefault: true,
  },
  {
    item: 'userfaultfd',
    key: 'vm.unprivileged_userfaultfd',
    wanted: 0,
    isGood: exactly(0),
    good: '0',
    why: 'a tenant cannot stop the kernel in the middle of a copy, which makes races in it easy to win',
    breaks: 'live migration of virtual machines that users run',
    since: 'Linux 5.2',
    byDefault: true,
  },
  {
    item: 'aslr',
    key: 'kernel.randomize_va_space',
    wanted: 2,
    isGood: exactly(2),
    good: '2',
    why: 'setuid programs and daemons are at other addresses each time, so attacks must guess',
    breaks: nothing,
    since: 'Linux 2.6.25',
    byDefault: true,
  },
  {
    item: 'mmap-min',
    key: 'vm.mmap_min_addr',
    wanted: 65_536,
    isGood: atLeast(32_768),
    good: '32768 or more',
    why: 'a mistake of the kernel with a pointer that is null does not run what a tenant put there',
    breaks: 'DOS programs in wine or dosemu',
    since: 'Linux 2.6.23',
    byDefault: true,
  },
  {
    item: 'pty-max',
    key: 'kernel.pty.max',
    wanted: 65_536,
    isGood: atLeast(16_384),
    good: '16384 or more',
    why: 'one tenant without a jail cannot take all terminals so easily, after which nobody logs in with one',
    breaks: nothing,
    since: 'Linux 2.6.4',
    byDefault: true,
  },
  {
    item: 'aio-max',
    key: 'fs.aio-max-nr',
    wanted: 1_048_576,
    isGood: atLeast(1_048_576),
    good: '1048576 or more',
    why: 'one tenant without a jail cannot take all events of asynchronous I/O so easily, which databases need to start',
    breaks: nothing,
    since: 'Linux 2.6.6',
    byDefault: true,
  },
  {
    item: 'userns-clone',
    key: 'kernel.unprivileged_userns_clone',
    wanted: 0,
    isGood: exactly(0),
    good: '0',
    why: 'in a user namespace a tenant is root towards parts of the kernel that were written for root alone',
    breaks:
      'containers without root (podman, docker rootless), bubblewrap, flatpak and the sandboxes of browsers, for users',
    since: 'kernels of Debian and Ubuntu',
    byDefault: false,
    group: userNamespaces,
  },
  {
    item: 'userns-apparmor',
    key: 'kernel.apparmor_restrict_unprivileged_userns',
    wanted: 1,
    isGood: atLeast(1),
    good: '1',
    why: 'only programs that have an AppArmor profile for it make user namespaces, where a tenant is root towards parts of the kernel',
    breaks: 'containers without root and sandboxes of programs that have no profile',
    since: 'kernels of Ubuntu 23.10 and newer',
    byDefault: false,
    group: userNamespaces,
  },
  {
    item: 'userns-max',
    key: 'user.max_user_namespaces',
    wanted: 0,
    isGood: exactly(0),
    good: '0',
    why: 'nobody, root included, makes user namespaces, where a tenant is root towards parts of the kernel',
    breaks: "all containers with user namespaces, also root's, and systemd's PrivateUsers=",
    since: 'Linux 4.9',
    byDefault: false,
    group: userNamespaces,
  },
  {
    item: 'io-uring',
    key: 'kernel.io_uring_disabled',
    wanted: 1,
    isGood: atLeast(1),
    good: '1 or 2',
    why: 'io_uring is large, new, and had many holes that made users root',
    breaks:
      'databases and servers that use it and run without privileges, unless their group is in kernel.io_uring_group',
    since: 'Linux 6.6',
    byDefault: false,
  },
  {
    item: 'kexec',
    key: 'kernel.kexec_load_disabled',
    wanted: 1,
    isGood: atLeast(1),
    good: '1',
    why: 'whoever became root cannot start another kernel without the checks of this one',
    breaks: 'kexec and new crash kernels until the next boot',
    since: 'Linux 3.14',
    byDefault: false,
    oneWay: true,
  },
];

export const settingOf = (item: string): KernelSetting | undefined =>
  settings.find((each) => each.item === item || each.key === item);

/** Parses the value of a file of /proc/sys. */
export const sysctlNumber = (text: string): number | undefined =>
  /^-?\d{1,15}$/.test(text.trim()) ? Number(text) : undefined;

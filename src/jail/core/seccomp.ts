/**
 * The seccomp filter for dangerous system calls: a program for the kernel, as the bytes that
 * entry/jail.c loads.
 *
 * The filter lists the calls that are refused, since tenants run programs that nobody here has seen. Calls that a
 * program can do without answer ENOSYS, so that it falls back. Calls of privileged programs answer EPERM. The PAM
 * module loads the filter before sshd or su changes the uid, so the calls for that are allowed.
 *
 * Source: seccomp(2), linux/filter.h; struct seccomp_data is { int nr; u32 arch; u64 instruction_pointer, args[6]; }.
 */
import type { Jail } from '../../policy/jail.ts';
import { splitWords } from './split-words.ts';
import { architectures, callNumber, type Architecture } from './call-numbers.ts';

type Profile = Jail['profile'];

const errnos = {
  EPERM: 1,
  ENOSYS: 38,
  EPROTONOSUPPORT: 93,
  ESOCKTNOSUPPORT: 94,
  EAFNOSUPPORT: 97,
} as const;
const allow = 0x7fff0000;
const refuseWith = 0x00050000;
const operations = {
  load: 0x20,
  and: 0x54,
  equal: 0x15,
  atLeast: 0x35,
  anyBit: 0x45,
  return: 0x06,
} as const;
const offsets = { call: 0, architecture: 4 } as const;
/** Returns the offset of the lower half of an argument: x86-64 and arm64 are little endian. */
const argument = (index: number) => 16 + 8 * index;

/** Flags for namespaces of all kinds. Source: linux/sched.h. */
const namespaceFlags = 0x7e020000;
/** Flags of unshare only, since for clone these bits are part of a signal number, and CLONE_PARENT_SETTID. */
const unshareFlags = { newTimeNamespace: 0x80, emptyMountNamespace: 0x00100000 } as const;

const families = { unix: 1, inet: 2, inet6: 10, netlink: 16 } as const;
const netlinkRoute = 0;
/** The mask for a socket's type, without SOCK_NONBLOCK and SOCK_CLOEXEC. Source: linux/net.h. */
const socketType = 0xf;
/**
 * The protocols that tenants' programs use, by the type of an IPv4 or IPv6 socket; 0 is the default. The kernel loads
 * modules for others (SCTP, DCCP, L2TP, SMC), which have a history of holes. ICMP is `ping` without privileges, which
 * the host allows or not by net.ipv4.ping_group_range. Source: linux/in.h.
 */
const protocols: readonly (readonly [type: number, allowed: readonly number[]])[] = [
  [1 /* SOCK_STREAM */, [0, 6 /* TCP */]],
  [2 /* SOCK_DGRAM */, [0, 17 /* UDP */, 1 /* ICMP */, 58 /* ICMPv6 */]],
];
/** The type of raw sockets. The kernel refuses it to all without privileges, but only after it has loaded a module. */
const socketRaw = 3;
const socketLevel = 1;
/**
 * Options that attach programs to sockets. Those are compiled into memory that all of the host's users share
 * (net.core.bpf_jit_limit). If that is used up, sshd cannot confine itself and refuses logins. Source:
 * asm-generic/socket.h.
 */
const socketPrograms = {
  SO_ATTACH_FILTER: 26,
  SO_ATTACH_BPF: 50,
  SO_ATTACH_REUSEPORT_CBPF: 51,
  SO_ATTACH_REUSEPORT_EBPF: 52,
} as const;
/**
 * The personalities that are allowed: execve keeps them only if a program sets them itself. The last one asks for the
 * present value.
 */
const personalities = [0, 0x0008, 0x0020000, 0x0020008, 0x0040000, 0xffffffff];
/**
 * Requests that type into a terminal, read a console's screen, or set a line discipline. Source: asm-generic/ioctls.h.
 */
const terminalRequests = { TIOCSTI: 0x5412, TIOCLINUX: 0x541c, TIOCSETD: 0x5423 } as const;

const withFallback = [
  'clone3',
  // Its events count towards a limit for the whole host (fs.aio-max-nr), and databases outside need them.
  'io_setup',
  'io_uring_setup',
  'io_uring_enter',
  'io_uring_register',
  'add_key',
  'request_key',
  'keyctl',
  'userfaultfd',
  'modify_ldt',
];
/** Calls that trace other processes. The profile `shell` allows them for people's own processes. */
const tracing = ['ptrace', 'process_vm_readv', 'process_vm_writev', 'kcmp', 'pidfd_getfd'];
const privileged = splitWords(`
  mount umount2 pivot_root chroot fchroot open_tree move_mount fsopen fsconfig fsmount fspick
  mount_setattr open_tree_attr setns bpf perf_event_open kexec_load kexec_file_load
  init_module finit_module delete_module create_module get_kernel_syms query_module
  reboot swapon swapoff acct syslog settimeofday clock_settime sethostname
  setdomainname ioperm iopl nfsservctl quotactl quotactl_fd lookup_dcookie
  open_by_handle_at vhangup uselib sysfs _sysctl fanotify_init move_pages
  migrate_pages
`);

interface Instruction {
  readonly operation: number;
  readonly value: number;
  readonly ifTrue: number;
  readonly ifFalse: number;
}

export function filterFor(profile: Profile, architecture: Architecture): Uint8Array {
  return encode([
    ...nativeCallsOnly(architecture),
    load(offsets.call),
    ...judged('clone', architecture, anyFlag(namespaceFlags)),
    ...judged(
      'unshare',
      architecture,
      anyFlag(namespaceFlags | unshareFlags.newTimeNamespace | unshareFlags.emptyMountNamespace),
    ),
    ...judged('socket', architecture, socketRules()),
    // The kernel makes two sockets of the family before it reports that the family has no pairs.
    ...judged('socketpair', architecture, [
      load(argument(0)),
      ...whenEqual(families.unix, answer(allow)),
      refuse('EAFNOSUPPORT'),
    ]),
    ...judged('setsockopt', architecture, [
      load(argument(1)),
      jump(operations.equal, socketLevel, 1, 0),
      answer(allow),
      load(argument(2)),
      ...Object.values(socketPrograms).flatMap((option) => whenEqual(option, refuse('EPERM'))),
    ]),
    ...judged('ioctl', architecture, [
      load(argument(1)),
      ...Object.values(terminalRequests).flatMap((request) => whenEqual(request, refuse('EPERM'))),
    ]),
    ...judged('personality', architecture, [
      load(argument(0)),
      ...personalities.flatMap((value) => whenEqual(value, answer(allow))),
      refuse('EPERM'),
    ]),
    ...refused(withFallback, 'ENOSYS', architecture),
    ...refused(privileged, 'EPERM', architecture),
    ...(profile === 'shell' ? [] : refused(tracing, 'EPERM', architecture)),
    answer(allow),
  ]);
}

/** Refuses calls of 32-bit programs. They have other numbers, and arguments of some cannot be checked. */
function nativeCallsOnly(architecture: Architecture): readonly Instruction[] {
  const x32 = 0x40000000;
  return [
    load(offsets.architecture),
    jump(operations.equal, architectures[architecture], 1, 0),
    refuse('ENOSYS'),
    ...(architecture === 'x64'
      ? [load(offsets.call), jump(operations.atLeast, x32, 0, 1), refuse('ENOSYS')]
      : []),
  ];
}

const anyFlag = (flags: number): readonly Instruction[] => [
  load(argument(0)),
  jump(operations.anyBit, flags, 0, 1),
  refuse('EPERM'),
];

/**
 * Allows UNIX sockets, TCP and UDP. Allows netlink only for routes and addresses, which getaddrinfo and getifaddrs
 * need.
 */
function socketRules(): readonly Instruction[] {
  const ofInternet = internetRules();
  return [
    load(argument(0)),
    ...whenEqual(families.unix, answer(allow)),
    jump(operations.equal, families.inet, 1, 0),
    jump(operations.equal, families.inet6, 0, ofInternet.length),
    ...ofInternet,
    jump(operations.equal, families.netlink, 1, 0),
    refuse('EAFNOSUPPORT'),
    load(argument(2)),
    jump(operations.equal, netlinkRoute, 1, 0),
    refuse('EAFNOSUPPORT'),
  ];
}

/** Returns rules for IPv4 and IPv6. Every path through these ends in an answer. */
const internetRules = (): readonly Instruction[] => [
  load(argument(1)),
  jump(operations.and, socketType, 0, 0),
  ...protocols.flatMap(([type, allowed]) => {
    const rules = [
      load(argument(2)),
      ...allowed.flatMap((protocol) => whenEqual(protocol, answer(allow))),
      refuse('EPROTONOSUPPORT'),
    ];
    return [jump(operations.equal, type, 0, rules.length), ...rules];
  }),
  ...whenEqual(socketRaw, refuse('EPERM')),
  refuse('ESOCKTNOSUPPORT'),
];

/** Returns rules for one call that its arguments decide. A call that no rule refuses is allowed. */
function judged(
  call: string,
  architecture: Architecture,
  rules: readonly Instruction[],
): readonly Instruction[] {
  const number = callNumber(call, architecture);
  if (number === undefined) return [];
  return [jump(operations.equal, number, 0, rules.length + 1), ...rules, answer(allow)];
}

const refused = (
  calls: readonly string[],
  errno: keyof typeof errnos,
  architecture: Architecture,
) =>
  calls.flatMap((call) => {
    const number = callNumber(call, architecture);
    return number === undefined ? [] : whenEqual(number, refuse(errno));
  });

const whenEqual = (value: number, then: Instruction): readonly Instruction[] => [
  jump(operations.equal, value, 0, 1),
  then,
];

const jump = (operation: number, value: number, ifTrue: number, ifFalse: number): Instruction => ({
  operation,
  value,
  ifTrue,
  ifFalse,
});
const load = (offset: number) => jump(operations.load, offset, 0, 0);
const answer = (value: number) => jump(operations.return, value, 0, 0);
const refuse = (errno: keyof typeof errnos) => answer(refuseWith | errnos[errno]);

/** Encodes instructions as `struct sock_filter { u16 code; u8 jt, jf; u32 k; }`, one after another. */
function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(program.length * 8));
  for (const [index, { operation, value, ifTrue, ifFalse }] of program.entries()) {
    bytes.setUint16(index * 8, operation, true);
    bytes.setUint8(index * 8 + 2, ifTrue);
    bytes.setUint8(index * 8 + 3, ifFalse);
    bytes.setUint32(index * 8 + 4, value, true);
  }
  return new Uint8Array(bytes.buffer);
}

/** The map entries about tenants with a jail, in the format of bpf/jail.bpf.c. */
import { u32le, type MapEntry } from '../../../packages/base/map-entry.ts';
import { splitWords } from './split-words.ts';

export interface JailedTenants {
  /** The uids of tenants, in ascending order, each once. */
  readonly uids: readonly number[];
  /** The uids without a jail of their own, which may start programs outside. */
  readonly onlySites: ReadonlySet<number>;
  /** The number of the host's mount namespace. */
  readonly host: number;
  /** The directory whose programs may run outside; absent if there is none. */
  readonly programs?: Directory;
}

export interface Directory {
  readonly device: { readonly major: number; readonly minor: number };
  readonly inode: bigint;
}

/** The number of uids that fit into the map, in addition to the self-test's. */
export const uidsMax = 65_535;

/**
 * `enum program` of bpf/jail.bpf.c. Jailed tenants may use no other such program (su, sudo, mount), setuid or not.
 */
const programKinds = { launcher: 1, launched: 2, helper: 3 } as const;

/** The program that drops root for the broker: entry/exec.c. */
const launcher = 'bulkhead-exec';
/** Set-id programs that the broker starts outside. */
const launched = splitWords('exim exim4 sendmail dma smtpctl crontab passwd');
/** Other programs with which mail servers pass mail on and write it to a mailbox, whoever starts them. */
const helpers = splitWords(
  'postdrop procmail maildrop dma-mbox-create lockspool dotlockfile mail-lock mail-touchlock mail-unlock',
);
/** The length of names in the BPF program, with the zero at the end. */
const nameBytes = 16;

const who = { tenant: 0, selfTest: 1, onlySites: 2 } as const;

/** Returns the entries of all maps. */
export const programMapEntries = ({
  uids,
  onlySites,
  host,
  programs,
}: JailedTenants): readonly MapEntry[] => [
  { map: 'settings', key: u32le(0), value: u32le(host, ...directoryWords(programs)) },
  ...uids.map((uid) => ({
    map: 'tenants',
    key: u32le(uid),
    value: u32le(onlySites.has(uid) ? who.onlySites : who.tenant),
  })),
  ...programEntries(launched, 'launched'),
  ...programEntries(helpers, 'helper'),
  ...programEntries([launcher], 'launcher'),
];

/** Returns the entry of the self-test's uid, which no account has. */
export const jailSelfTestEntry = (uid: number): MapEntry => ({
  map: 'tenants',
  key: u32le(uid),
  value: u32le(who.selfTest),
});

const programEntries = (names: readonly string[], kind: keyof typeof programKinds) =>
  names.map((name) => ({
    map: 'programs',
    key: Buffer.alloc(nameBytes, name.slice(0, nameBytes - 1).padEnd(nameBytes, '\0')),
    value: u32le(programKinds[kind]),
  }));

/** Returns the words of a directory. The device has the kernel's internal numbering: `MKDEV` of linux/kdev_t.h. */
function directoryWords(directory: Directory | undefined): readonly number[] {
  if (directory === undefined) return [0, 0, 0];
  const { device, inode } = directory;
  const half = 0x1_0000_0000n;
  return [
    device.major * 0x10_0000 + device.minor,
    Number(inode % half),
    Number((inode / half) % half),
  ];
}

/** Whether a value of the map `tenants` means that the tenant may start programs only in its jail. */
export const isJailed = (value: Uint8Array): boolean =>
  Buffer.from(value).equals(u32le(who.tenant));

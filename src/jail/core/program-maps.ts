/** What the kernel is told of tenants with a jail, as its programs take it (bpf/jails.bpf.c). */
import { words, type MapEntry } from '../../base/map-entry.ts';
import { words as splitWords } from './words.ts';

export interface JailedTenants {
  /** In ascending order, each once. */
  readonly uids: readonly number[];
  /** Those among them without a jail of their own, which may start programs outside. */
  readonly onlySites: ReadonlySet<number>;
  /** The number of the host's mount namespace. */
  readonly host: number;
  /** The directory whose programs may run outside; absent where there is none. */
  readonly programs?: Directory;
  /** The name of the program by which the broker's launcher gives up root, for another than `chroot`. */
  readonly launcher?: string;
}

export interface Directory {
  readonly device: { readonly major: number; readonly minor: number };
  readonly inode: bigint;
}

/** As many as the map has; one is the canary. */
export const uidsMax = 65_535;

/** `enum program` of bpf/jails.bpf.c. Everything else (su, sudo, mount) is not for tenants in jails, setuid or not. */
const programKinds = { launcher: 1, launched: 2, helper: 3 } as const;

/** Programs with a set-id bit that the broker starts outside. */
const launched = splitWords('exim exim4 sendmail dma smtpctl crontab passwd');
/** Others by which mail servers hand mail over and put it into a mailbox, whoever starts them. */
const helpers = splitWords(
  'postdrop procmail maildrop dma-mbox-create lockspool dotlockfile mail-lock mail-touchlock mail-unlock',
);
/** As the program has them, with a zero at the end. */
const nameBytes = 16;

const who = { tenant: 0, canary: 1, onlySites: 2 } as const;

/** `canary`: a uid of nobody's, so that it can be tried whether anything is refused. */
export const entriesOf = (
  { uids, onlySites, host, programs, launcher = 'chroot' }: JailedTenants,
  canary: number,
): readonly MapEntry[] => [
  { map: 'settings', key: words(0), value: words(host, ...directoryWords(programs)) },
  ...uids.map((uid) => ({
    map: 'tenants',
    key: words(uid),
    value: words(onlySites.has(uid) ? who.onlySites : who.tenant),
  })),
  { map: 'tenants', key: words(canary), value: words(who.canary) },
  ...programEntries(launched, 'launched'),
  ...programEntries(helpers, 'helper'),
  ...programEntries([launcher], 'launcher'),
];

const programEntries = (names: readonly string[], kind: keyof typeof programKinds) =>
  names.map((name) => ({
    map: 'programs',
    key: Buffer.alloc(nameBytes, name.slice(0, nameBytes - 1).padEnd(nameBytes, '\0')),
    value: words(programKinds[kind]),
  }));

/** The device as the kernel numbers it within itself: `MKDEV` of linux/kdev_t.h. */
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

/** Whether a value of the map `tenants` is of one that may start programs in its jail only. */
export const isJailed = (value: Uint8Array): boolean =>
  Buffer.from(value).equals(words(who.tenant));

/** Uids far above those that accounts have, below those that the kernel keeps; another one for each generation. */
export const canaryOf = (generation: string): number =>
  0xffe0_0000 + (parseInt(generation.split('-')[0] ?? '', 36) % 0xf_ffff);

/** The policy's rule in the numbers that the kernel compares, as the BPF programs take it (bpf/symlinks.bpf.c). */
import { u32le, type MapEntry } from '../../../../packages/base/map-entry.ts';

export type GuardMode = 'on' | 'watch';

export interface GuardSubject {
  /** Whether it is a user or a group. */
  readonly kind: 'group' | 'user';
  /** The uid or gid. */
  readonly id: number;
}

/** The users that the guard restricts, and the owners that it trusts. */
export interface GuardRule {
  /** Whether it refuses (`on`) or only reports (`watch`). */
  readonly mode: GuardMode;
  /** The users and groups that are restricted. */
  readonly subjects: readonly GuardSubject[];
  /** Uids whose links are always followed. */
  readonly trusted: readonly number[];
  /** Uids to whose files all links are followed. */
  readonly targets: readonly number[];
}

const kinds = { group: 0, user: 1 } as const;
const modes = { on: 1, watch: 2 } as const;
const trusts = { links: 1, targets: 2 } as const;

/** The size of the programs' maps. */
export const entriesMax = 1000;

/** Returns the entries of the maps. */
export function guardMapEntries(rule: GuardRule): readonly MapEntry[] {
  const mode = modes[rule.mode];
  const owners = new Map<number, number>();
  for (const uid of rule.trusted) owners.set(uid, trusts.links);
  for (const uid of rule.targets) owners.set(uid, (owners.get(uid) ?? 0) | trusts.targets);
  return [
    ...rule.subjects.map(({ kind, id }) => ({
      map: 'subjects',
      key: u32le(kinds[kind], id),
      value: u32le(mode),
    })),
    ...[...owners].map(([uid, trust]) => ({
      map: 'owners',
      key: u32le(uid),
      value: u32le(trust),
    })),
  ];
}

/** Returns the entry of the self-test's group, which nobody has. It is refused in any mode. */
export const guardSelfTestEntry = (group: number): MapEntry => ({
  map: 'subjects',
  key: u32le(kinds.group, group),
  value: u32le(modes.on),
});

export interface MapDump {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const wordOf = (bytes: Uint8Array, index: number) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4 * index, true);

/** Returns the rule of the programs in force, from their maps. */
export function ruleOf(
  subjects: readonly MapDump[],
  owners: readonly MapDump[],
  selfTestGroup: number,
): GuardRule {
  const restricted = subjects.filter(
    ({ key }) => wordOf(key, 0) !== kinds.group || wordOf(key, 1) !== selfTestGroup,
  );
  const withTrust = (trust: number) =>
    owners.filter(({ value }) => (wordOf(value, 0) & trust) !== 0).map(({ key }) => wordOf(key, 0));
  return {
    mode: restricted.some(({ value }) => wordOf(value, 0) === modes.watch) ? 'watch' : 'on',
    subjects: restricted.map(({ key }) => ({
      kind: wordOf(key, 0) === kinds.group ? 'group' : 'user',
      id: wordOf(key, 1),
    })),
    trusted: withTrust(trusts.links),
    targets: withTrust(trusts.targets),
  };
}

/** Whether two rules are the same, whatever the order. */
export function sameRule(a: GuardRule, b: GuardRule): boolean {
  const text = ({ mode, subjects, trusted, targets }: GuardRule) =>
    JSON.stringify([
      mode,
      subjects.map(({ kind, id }) => `${kind} ${id}`).toSorted(),
      trusted.toSorted((x, y) => x - y),
      targets.toSorted((x, y) => x - y),
    ]);
  return text(a) === text(b);
}

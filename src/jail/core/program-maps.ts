/** What the kernel is told of tenants with a jail, as its programs take it (bpf/jails.bpf.c). */
import { words, type MapEntry } from '../../base/map-entry.ts';

export interface JailedTenants {
  /** In ascending order, each once. */
  readonly uids: readonly number[];
  /** The number of the host's mount namespace. */
  readonly host: number;
}

/** As many as the map has; one is the canary. */
export const uidsMax = 65_535;

const who = { tenant: 0, canary: 1 } as const;

/** `canary`: a uid of nobody's, so that it can be tried whether anything is refused. */
export const entriesOf = ({ uids, host }: JailedTenants, canary: number): readonly MapEntry[] => [
  { map: 'settings', key: words(0), value: words(host) },
  ...uids.map((uid) => ({ map: 'tenants', key: words(uid), value: words(who.tenant) })),
  { map: 'tenants', key: words(canary), value: words(who.canary) },
];

/** Uids far above those that accounts have, below those that the kernel keeps; another one for each generation. */
export const canaryOf = (generation: string): number =>
  0xffe0_0000 + (parseInt(generation.split('-')[0] ?? '', 36) % 0xf_ffff);

/** Collects what the programs report of refusals, and makes faults of it together with their counts. */
import { formatAddress } from '../../../packages/base/ip-address.ts';
import type { ReportedFault } from '../../agent/part.ts';
import { evidenceOf } from '../../usage/evidence.ts';
import { tenantMember } from '../../usage/member.ts';
import { attemptEvidence, type Attempt } from './attempts.ts';
import type { RefusalCounts as Counts } from './told-refusals.ts';
import { networkRefusalKinds, type NetworkRefusal, type NetworkRefusalKind } from './use.ts';

/** Attempts less than this apart belong together, as in incidents. */
const quietMilliseconds = 300_000;
/** Bounds for what tenants can make the agent remember: each, and all together. */
const addressesMax = 4096;
const addressesOfAllMax = 100_000;
const itemsMax = 20;

interface Episode {
  readonly addresses: Set<string>;
  lastAt: number;
}

interface Told {
  readonly uid: number;
  wasRefused: boolean;
  readonly items: Map<string, Attempt>;
}

/** Whether a kind of refusal only watches, where no event says it. */
export type IsWatched = (uid: number, kind: NetworkRefusalKind) => boolean;

export class AttemptTally {
  readonly #episodes = new Map<string, Episode>();
  /** The number of addresses in all of them. */
  #addresses = 0;
  /** Reports whose count has not been read yet. */
  readonly #told = new Map<string, Told>();
  #before = new Map<number, Counts>();

  /**
   * Takes the counts as a beginning, except of tenants that are known. Other programs than before count from now on if
   * `told` is given: then those of `told` are known, by their counts there.
   */
  begin(counts: ReadonlyMap<number, Counts>, told?: ReadonlyMap<number, Counts>): void {
    const known = told ?? this.#before;
    this.#before = new Map([...counts].map(([uid, each]) => [uid, known.get(uid) ?? each]));
  }

  /** `owner`: the tenant that the port belongs to; empty if it is not known. */
  add(refusal: NetworkRefusal, at: number, owner: string): void {
    const { program, port } = refusal;
    const key = keyOf(refusal.uid, refusal.kind);
    const address = formatAddress(refusal.address);
    const addresses = this.#noteAddress(key, at, address);
    const told = this.#told.get(key) ?? { uid: refusal.uid, wasRefused: false, items: new Map() };
    this.#told.set(key, told);
    told.wasRefused ||= refusal.wasRefused;
    const name = `${program} ${port}`;
    const known = told.items.get(name);
    if (known === undefined && told.items.size >= itemsMax) return;
    const tries = (known?.tries ?? 0) + 1;
    told.items.set(name, { at, program, address, port, tries, addresses, owner });
  }

  /** Returns the number of addresses since it began. At a bound, none is added. */
  #noteAddress(key: string, at: number, address: string): number {
    const known = this.#episodes.get(key);
    if (known !== undefined && hasEnded(known, at)) this.#forget(key, known);
    const episode = this.#episodes.get(key) ?? { addresses: new Set<string>(), lastAt: at };
    episode.lastAt = at;
    this.#episodes.set(key, episode);
    const { addresses } = episode;
    if (addresses.has(address)) return addresses.size;
    if (addresses.size >= addressesMax || this.#addresses >= addressesOfAllMax)
      return Math.max(1, addresses.size);
    this.#addresses++;
    return addresses.add(address).size;
  }

  #forget(key: string, { addresses }: Episode): void {
    this.#episodes.delete(key);
    this.#addresses -= addresses.size;
  }

  /** Returns the faults since the last call, by the programs' counts, which have more than was reported. */
  take(counts: ReadonlyMap<number, Counts>, at: number, isWatched: IsWatched): ReportedFault[] {
    for (const [key, { uid }] of this.#told) if (!counts.has(uid)) this.#told.delete(key);
    for (const [key, episode] of this.#episodes)
      if (hasEnded(episode, at)) this.#forget(key, episode);
    const faults = [...counts].flatMap(([uid, now]) => {
      const before = this.#before.get(uid) ?? now;
      return networkRefusalKinds.flatMap((kind): readonly ReportedFault[] => {
        const count = now[kind] - before[kind];
        if (count <= 0) return [];
        const seen = this.#told.get(keyOf(uid, kind));
        this.#told.delete(keyOf(uid, kind));
        const wasRefused = seen?.wasRefused ?? !isWatched(uid, kind);
        return [
          {
            member: tenantMember(uid),
            limit: kind,
            severity: wasRefused ? 'refused' : 'throttled',
            count,
            inferred: false,
            evidence: evidenceOf(attemptEvidence, [...(seen?.items.values() ?? [])]),
          },
        ];
      });
    });
    this.#before = new Map(counts);
    return faults;
  }
}

const hasEnded = ({ lastAt }: Episode, at: number) => Math.abs(at - lastAt) >= quietMilliseconds;

const keyOf = (uid: number, kind: NetworkRefusalKind) => `${uid} ${kind}`;

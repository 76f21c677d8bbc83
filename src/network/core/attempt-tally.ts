/** Collects what the programs report of refusals, and makes faults of it together with their counts. */
import { formatAddress } from '../../../packages/base/ip-address.ts';
import type { ReportedFault } from '../../agent/part.ts';
import { evidenceOf } from '../../usage/evidence.ts';
import { tenantMember } from '../../usage/member.ts';
import { attemptEvidence, type Attempt } from './attempts.ts';
import { networkRefusalKinds, type NetworkRefusal, type NetworkRefusalKind } from './use.ts';

/** Attempts less than this apart belong together, as in incidents. */
const quietMilliseconds = 300_000;
/** Bounds for what one tenant can make the agent remember. */
const addressesMax = 4096;
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

type Counts = Readonly<Record<NetworkRefusalKind, number>>;

/** Whether a kind of refusal only watches, where no event says it. */
export type IsWatched = (uid: number, kind: NetworkRefusalKind) => boolean;

export class AttemptTally {
  readonly #episodes = new Map<string, Episode>();
  /** Reports whose count has not been read yet. */
  readonly #told = new Map<string, Told>();
  #before = new Map<number, Counts>();

  /** Takes the counts as a beginning. Tenants that are known go on, unless other programs count from now on. */
  begin(counts: ReadonlyMap<number, Counts>, areNew: boolean): void {
    this.#before = new Map(
      [...counts].map(([uid, each]) => [uid, (areNew ? undefined : this.#before.get(uid)) ?? each]),
    );
  }

  /** `owner`: the tenant that the port belongs to; empty if it is not known. */
  add(refusal: NetworkRefusal, at: number, owner: string): void {
    const { program, port } = refusal;
    const key = keyOf(refusal.uid, refusal.kind);
    const address = formatAddress(refusal.address);
    const addresses = this.#addressesOf(key, at).add(address).size;
    const told = this.#told.get(key) ?? { uid: refusal.uid, wasRefused: false, items: new Map() };
    this.#told.set(key, told);
    told.wasRefused ||= refusal.wasRefused;
    const name = `${program} ${port}`;
    const known = told.items.get(name);
    if (known === undefined && told.items.size >= itemsMax) return;
    const tries = (known?.tries ?? 0) + 1;
    told.items.set(name, { at, program, address, port, tries, addresses, owner });
  }

  /** Returns the addresses since it began. At the bound, none is added. */
  #addressesOf(key: string, at: number): Set<string> {
    const known = this.#episodes.get(key);
    const goesOn = known !== undefined && Math.abs(at - known.lastAt) < quietMilliseconds;
    const episode = goesOn ? known : { addresses: new Set<string>(), lastAt: at };
    episode.lastAt = at;
    this.#episodes.set(key, episode);
    return episode.addresses.size < addressesMax ? episode.addresses : new Set(episode.addresses);
  }

  /** Returns the faults since the last call, by the programs' counts, which have more than was reported. */
  take(counts: ReadonlyMap<number, Counts>, at: number, isWatched: IsWatched): ReportedFault[] {
    for (const [key, { uid }] of this.#told) if (!counts.has(uid)) this.#told.delete(key);
    for (const [key, { lastAt }] of this.#episodes)
      if (Math.abs(at - lastAt) >= quietMilliseconds) this.#episodes.delete(key);
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

const keyOf = (uid: number, kind: NetworkRefusalKind) => `${uid} ${kind}`;

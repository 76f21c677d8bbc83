/**
 * Counts how often limits were hit in the slices of sites, as long as their tenant's slice counts it, too.
 *
 * A site's slice ends with its last process, and its counters with it. The tenant's slice may stay, with the hits
 * counted there, from which the site's hits must still be separated.
 */
import type { Counters } from '../../limits/limit.ts';
import { parentOf } from '../../plan/wanted.ts';

/** Hits of limits. Some kernels count them where the process is, others where the limit is and above. */
export const hitKeys = ['memoryHits', 'oomKills', 'forksRefused'] as const;
type HitKey = (typeof hitKeys)[number];
export type Hits = Readonly<Record<HitKey, number>>;

interface Known {
  readonly now: Hits;
  /** The hits of its slices that have ended. */
  readonly ended: Hits;
}

const none: Hits = { memoryHits: 0, oomKills: 0, forksRefused: 0 };

export const wentBack = (before: Hits, now: Hits): boolean =>
  hitKeys.some((key) => now[key] < before[key]);

export class SliceHits {
  /** The hits by the sites' cgroups. */
  readonly #sites = new Map<string, Known>();

  /** Adds the hits of the site's slices that have ended. */
  add(cgroup: string, now: Readonly<Counters>): Readonly<Counters> {
    const known = this.#sites.get(cgroup) ?? { now: none, ended: none };
    const ended = wentBack(known.now, now) ? sumOf(known.ended, known.now) : known.ended;
    this.#sites.set(cgroup, { now, ended });
    return ended === none ? now : { ...now, ...sumOf(ended, now) };
  }

  /** Starts over for a new slice of the tenant, which has counted no hits of the slices that have ended. */
  startOver(tenant: string): void {
    for (const [cgroup, { now }] of this.#sites) {
      if (parentOf(cgroup) === tenant) this.#sites.set(cgroup, { now, ended: none });
    }
  }

  get cgroups(): readonly string[] {
    return [...this.#sites.keys()];
  }

  forget(cgroup: string): void {
    this.#sites.delete(cgroup);
  }
}

const sumOf = (one: Hits, other: Hits): Hits => ({
  memoryHits: one.memoryHits + other.memoryHits,
  oomKills: one.oomKills + other.oomKills,
  forksRefused: one.forksRefused + other.forksRefused,
});

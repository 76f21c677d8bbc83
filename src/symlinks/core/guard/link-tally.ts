/** Refused links of a tick: how many of each owner, and some of them. */
import type { ReportedFault } from '../../../agent/part.ts';
import type { RefusedLink as Evidence } from '../../../usage/incident.ts';
import { tenantMember } from '../../../usage/member.ts';
import { linkFault } from '../../../usage/refused-links.ts';
import { placeOf, type RefusedLink } from './refused-link.ts';

export interface Known {
  readonly nameOf: (uid: number) => string;
  /** Of a file system, by `MAJOR:MINOR`. */
  readonly mountPointOf: (device: string) => string | undefined;
}

interface OwnerLinks {
  count: number;
  watched: boolean;
  readonly links: Evidence[];
}

/** Links that are kept of one owner; the others are counted. */
const linksMax = 20;
/** As many as the programs remember. */
export const ownersMax = 8192;

export class LinkTally {
  /** How many refusals of each owner have been counted since the programs were loaded. */
  #seen = new Map<number, number>();
  #owners = new Map<number, OwnerLinks>();

  /** From here on; `totals`: what the programs have counted before. */
  restart(totals: ReadonlyMap<number, number> = new Map()): void {
    this.#seen = new Map(totals);
  }

  add(link: RefusedLink, at: number, known: Known): void {
    const seen = this.#seen.get(link.owner) ?? 0;
    if (seen === 0 && this.#seen.size >= ownersMax) return;
    // Not every refusal is reported; each report has the number of all. It is less where the programs forgot the owner.
    const count = link.total > seen ? link.total - seen : 1;
    this.#seen.set(link.owner, link.total);
    const of = this.#owners.get(link.owner) ?? { count: 0, watched: true, links: [] };
    this.#owners.set(link.owner, of);
    of.count += count;
    of.watched &&= link.watched;
    if (of.links.length < linksMax) of.links.push(evidenceOf(link, at, known));
  }

  /** All since the last call. */
  take(): readonly ReportedFault[] {
    const all = [...this.#owners];
    this.#owners = new Map();
    return all.map(([owner, { count, watched, links }]) => ({
      member: tenantMember(owner),
      limit: linkFault,
      severity: watched ? 'throttled' : 'refused',
      count,
      inferred: false,
      requests: [],
      links,
    }));
  }
}

const evidenceOf = (link: RefusedLink, at: number, known: Known): Evidence => ({
  at,
  program: link.program,
  link: placeOf(link, known.mountPointOf(link.device)),
  target: link.leadsTo ?? '',
  targetOwner: known.nameOf(link.targetOwner),
});

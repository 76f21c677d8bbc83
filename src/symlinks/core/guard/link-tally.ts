/** Refused links of a tick: how many of each owner, and some of them. */
import type { ReportedFault } from '../../../agent/part.ts';
import { RefusalTally } from '../../../usage/refusal-tally.ts';
import type { RefusedLink as Evidence } from '../../../usage/incident.ts';
import { tenantMember } from '../../../usage/member.ts';
import { linkFault } from '../../../usage/refused-links.ts';
import { placeOf, type RefusedLink } from './refused-link.ts';

export interface Known {
  readonly nameOf: (uid: number) => string;
  /** Of a file system, by `MAJOR:MINOR`. */
  readonly mountPointOf: (device: string) => string | undefined;
}

export class LinkTally {
  readonly #tally = new RefusalTally<Evidence>();

  /** From here on; `totals`: what the programs have counted before. */
  restart(totals?: ReadonlyMap<number, number>): void {
    this.#tally.restart(totals);
  }

  add(link: RefusedLink, at: number, known: Known): void {
    const { owner: uid, total, watched } = link;
    this.#tally.add({ uid, total, watched, evidence: () => evidenceOf(link, at, known) });
  }

  /** All since the last call. */
  take(): readonly ReportedFault[] {
    return [...this.#tally.take()].map(([owner, { count, watched, evidence }]) => ({
      member: tenantMember(owner),
      limit: linkFault,
      severity: watched ? 'throttled' : 'refused',
      count,
      inferred: false,
      requests: [],
      links: evidence,
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

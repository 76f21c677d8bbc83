/** Refused links of a tick: how many each owner has, and some of them. */
import type { ReportedFault } from '../../../agent/part.ts';
import { evidenceOf } from '../../../usage/evidence.ts';
import { RefusalTally } from '../../../usage/refusal-tally.ts';
import { tenantMember } from '../../../usage/member.ts';
import { linkEvidence, linkIncidents, type LinkEvidence } from './link-incidents.ts';
import { refusedLinkPath, type RefusedLinkEvent } from './refused-link.ts';

export interface Known {
  readonly nameOf: (uid: number) => string;
  /** Returns the mount point of a file system, by `MAJOR:MINOR`. */
  readonly mountPointOf: (device: string) => string | undefined;
  /** Returns the tenant that the refusal counts against. */
  readonly tenantOf: (owner: number, place: string) => number | undefined;
}

/** Links that belong to no tenant. */
export interface UnownedLinks {
  readonly count: number;
  readonly example: LinkEvidence | undefined;
}

/** A value that is not a uid. */
const nobody = -1;

export class LinkTally {
  readonly #tally = new RefusalTally<LinkEvidence>();
  #unowned: UnownedLinks | undefined;

  /** Starts counting now; `totals` are the programs' counts so far. */
  restart(totals?: ReadonlyMap<number, number>): void {
    this.#tally.restart(totals);
  }

  add(link: RefusedLinkEvent, at: number, known: Known): void {
    const { owner: uid, total, watched } = link;
    const place = refusedLinkPath(link, known.mountPointOf(link.device));
    const under = known.tenantOf(uid, place) ?? nobody;
    this.#tally.add({
      uid,
      under,
      total,
      watched,
      evidence: () => detailsOf(link, place, at, known),
    });
  }

  /** Returns all since the last call. */
  take(): readonly ReportedFault[] {
    const taken = new Map(this.#tally.take());
    const unowned = taken.get(nobody);
    taken.delete(nobody);
    this.#unowned =
      unowned === undefined
        ? undefined
        : { count: unowned.count, example: unowned.evidence.at(-1) };
    return [...taken].map(([owner, { count, watched, evidence }]) => ({
      member: tenantMember(owner),
      limit: linkIncidents.limit,
      severity: watched ? 'throttled' : 'refused',
      count,
      inferred: false,
      evidence: evidenceOf(linkEvidence, evidence),
    }));
  }

  /** Returns the links of the last `take` that belong to no tenant. */
  get unowned(): UnownedLinks | undefined {
    return this.#unowned;
  }
}

const detailsOf = (
  link: RefusedLinkEvent,
  place: string,
  at: number,
  known: Known,
): LinkEvidence => ({
  at,
  program: link.program,
  link: place,
  target: link.leadsTo ?? '',
  targetOwner: known.nameOf(link.targetOwner),
});

/** Collects faults of database limits until the agent takes them. */
import type { ReportedFault } from '../../agent/part.ts';
import { evidenceOf } from '../../usage/evidence.ts';
import { tenantMember } from '../../usage/member.ts';
import type { Ending } from '../core/backstops.ts';
import { databaseCpuEvidence } from '../core/cpu-incidents.ts';
import type { Session } from '../core/look.ts';
import { OwedTime } from '../core/use/owed-time.ts';
import { sessionEvidence } from '../core/use/session-incidents.ts';
import { withoutLiterals } from '../core/statement-text.ts';

/** The agent takes them each tick; more than this is a fault of ours. */
const faultsMax = 1000;

interface Owed {
  readonly time: OwedTime;
  readonly limit: number;
  readonly isWatched: boolean;
}

export interface HeldUse {
  readonly used: number;
  readonly elapsed: number;
  readonly paused: number;
  readonly limit: number;
  readonly rung: string;
  /** Whether nothing was paused, since the policy only watches. */
  readonly isWatched: boolean;
}

export class DatabaseFaults {
  #faults: ReportedFault[] = [];
  readonly #owed = new Map<number, Owed>();

  held(uid: number, use: HeldUse, sessions: readonly Session[]): void {
    const { limit, isWatched, rung } = use;
    const owed = this.#owed.get(uid) ?? { time: new OwedTime(), limit, isWatched };
    owed.time.add(use, rung, sessions);
    this.#owed.set(uid, owed);
  }

  ended({ tenant, why, account, found, statement }: Ending): void {
    if (why === 'request') return;
    const item = {
      at: Date.now(),
      why,
      account,
      found: why === 'connections' ? found : found / 1000,
      statement: withoutLiterals(statement),
    };
    this.#add({
      member: tenantMember(tenant),
      limit: `database.${why}`,
      severity: why === 'connections' ? 'refused' : 'killed',
      count: 1,
      inferred: false,
      evidence: evidenceOf(sessionEvidence, [item]),
    });
  }

  #add(fault: ReportedFault): void {
    if (this.#faults.length < faultsMax) this.#faults.push(fault);
  }

  take(): readonly ReportedFault[] {
    for (const [uid, { time, limit, isWatched }] of this.#owed)
      this.#add({
        member: tenantMember(uid),
        limit: 'database.cpu',
        severity: isWatched ? 'observed' : 'throttled',
        count: 1,
        inferred: false,
        evidence: evidenceOf(databaseCpuEvidence, [time.evidence(limit, Date.now(), isWatched)]),
      });
    this.#owed.clear();
    const taken = this.#faults;
    this.#faults = [];
    return taken;
  }
}

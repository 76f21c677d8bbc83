/**
 * Groups faults into incidents. Time is monotonic, so that a jump of the wall clock neither splits an incident nor
 * joins two; people see wall-clock times.
 */
import type { LimitKey } from '../limits/limit.ts';
import { severities } from '../limits/limit.ts';
import { addEvidence, type Evidence } from './evidence.ts';
import type { Fault, Severity } from './fault.ts';
import type { Member } from './member.ts';

/** The pause after which a fault starts a new incident. */
export const quietMilliseconds = 300_000;
export const snapshotsMax = 10;
/** The pause between two snapshots: two per minute, and one more if the severity has increased. */
const snapshotPauseMilliseconds = 30_000;

export interface OpenIncident {
  /** The id, assigned by the store; absent while the store cannot be written. */
  id: number | undefined;
  readonly member: Member;
  readonly limit: LimitKey;
  severity: Severity;
  inferred: boolean;
  /** Wall clock, in milliseconds since 1970. */
  readonly begin: number;
  end: number;
  faults: number;
  snapshots: number;
  /** The worst severity when the last snapshot was taken. */
  shownSeverity: Severity | undefined;
  /** The time of the last fault: monotonic, in milliseconds. */
  lastFault: number;
  lastSnapshot: number;
}

export interface Moment {
  /** Wall clock, milliseconds since 1970. */
  readonly at: number;
  /** Monotonic, milliseconds. */
  readonly monotonic: number;
}

export class IncidentLog {
  readonly #open = new Map<string, OpenIncident>();

  get open(): readonly OpenIncident[] {
    return [...this.#open.values()];
  }

  /** Resumes incidents that were open before a restart. */
  resume(incident: OpenIncident): void {
    this.#open.set(keyOf(incident), incident);
  }

  /** Adds faults; returns the incidents to which they belong, each once. */
  add(faults: readonly Fault[], moment: Moment): readonly OpenIncident[] {
    const touched = new Set<OpenIncident>();
    for (const fault of faults) touched.add(this.#addOne(fault, moment));
    return [...touched];
  }

  #addOne(fault: Fault, { at, monotonic }: Moment): OpenIncident {
    const key = keyOf(fault);
    let incident = this.#open.get(key);
    if (incident === undefined || monotonic - incident.lastFault >= quietMilliseconds) {
      incident = begin(fault, at, monotonic);
      this.#open.set(key, incident);
    }
    incident.faults += fault.count;
    incident.severity = worse(incident.severity, fault.severity);
    incident.inferred &&= fault.inferred;
    incident.end = Math.max(incident.begin, at);
    incident.lastFault = monotonic;
    return incident;
  }

  /** Closes incidents of members with a new owner: later faults start new incidents. */
  forget(members: ReadonlySet<Member>): void {
    for (const [key, { member }] of this.#open) if (members.has(member)) this.#open.delete(key);
  }

  /** Drops incidents without recent faults; they are in the store. */
  close(monotonic: number): void {
    for (const [key, { lastFault }] of this.#open) {
      if (monotonic - lastFault >= quietMilliseconds) this.#open.delete(key);
    }
  }
}

export function wantsSnapshot(incident: OpenIncident, monotonic: number): boolean {
  if (incident.snapshots >= snapshotsMax) return false;
  if (incident.severity !== incident.shownSeverity) return true;
  return monotonic - incident.lastSnapshot >= snapshotPauseMilliseconds;
}

export const worse = (a: Severity, b: Severity): Severity =>
  severities.indexOf(a) >= severities.indexOf(b) ? a : b;

/** Usage that only would have hit a limit is another incident than a hit. */
const keyOf = ({ member, limit, severity }: Pick<Fault, 'member' | 'limit' | 'severity'>) =>
  `${member} ${limit}${severity === 'observed' ? ' observed' : ''}`;

function begin(
  { member, limit, severity, inferred }: Fault,
  at: number,
  monotonic: number,
): OpenIncident {
  return {
    id: undefined,
    member,
    limit,
    severity,
    inferred,
    begin: at,
    end: at,
    faults: 0,
    snapshots: 0,
    shownSeverity: undefined,
    lastFault: monotonic,
    lastSnapshot: -Infinity,
  };
}

/** Keeps evidence of incidents that comes between their snapshots, for the next snapshot. */
export class KeptEvidence {
  readonly #of = new WeakMap<object, Evidence>();

  add(incident: object, evidence: Evidence): void {
    if (evidence.items.length > 0)
      this.#of.set(incident, addEvidence(this.#of.get(incident), evidence));
  }

  has(incident: object): boolean {
    return this.#of.has(incident);
  }

  /** Returns the evidence, and keeps it no longer. */
  take(incident: object): Evidence | undefined {
    const kept = this.#of.get(incident);
    this.#of.delete(incident);
    return kept;
  }
}

/**
 * Counts what BPF programs refused in a tick: how often for each uid, and some evidence. Not every refusal is reported.
 */

interface Refused<Evidence> {
  count: number;
  /** Whether all of it was only logged, not refused. */
  watched: boolean;
  readonly evidence: Evidence[];
}

export interface Told<Evidence> {
  readonly uid: number;
  /** The uid under which it is counted, if another: one that has many uids. */
  readonly under?: number;
  /** The number of this uid's refusals since the programs were loaded. */
  readonly total: number;
  readonly watched: boolean;
  readonly evidence: () => Evidence;
}

/** The maximum evidence kept of one uid; the rest is only counted. */
const evidenceMax = 20;
/** The number of uids that the programs remember. */
const uidsMax = 8192;

export class RefusalTally<Evidence> {
  /** Counted refusals of each uid since the programs were loaded. */
  #seen = new Map<number, number>();
  #uids = new Map<number, Refused<Evidence>>();

  /** Starts again; `totals`: the programs' earlier counts. */
  restart(totals: ReadonlyMap<number, number> = new Map()): void {
    this.#seen = new Map(totals);
  }

  add({ uid, under = uid, total, watched, evidence }: Told<Evidence>): void {
    const count = this.#countOf(uid, total);
    const of = this.#uids.get(under) ?? { count: 0, watched: true, evidence: [] };
    this.#uids.set(under, of);
    of.count += count;
    of.watched &&= watched;
    if (of.evidence.length < evidenceMax) of.evidence.push(evidence());
  }

  /** Returns the refusals of the uid since its last known total. A uid beyond `uidsMax` counts once per report. */
  #countOf(uid: number, total: number): number {
    const seen = this.#seen.get(uid) ?? 0;
    if (seen === 0 && this.#seen.size >= uidsMax) return 1;
    this.#seen.set(uid, total);
    // The total includes unreported refusals. It is smaller if the programs forgot the uid.
    return total > seen ? total - seen : 1;
  }

  /** Returns all refusals since the last call, by uid. */
  take(): ReadonlyMap<number, Readonly<Refused<Evidence>>> {
    const all = this.#uids;
    this.#uids = new Map();
    return all;
  }
}

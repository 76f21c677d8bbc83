/** What BPF programs refused in a tick: how often by each uid, and some of it. Not every refusal is told of. */

interface Refused<Evidence> {
  count: number;
  /** Only what was let pass all the same. */
  watched: boolean;
  readonly evidence: Evidence[];
}

export interface Told<Evidence> {
  readonly uid: number;
  /** Under whom it is counted, if not under that uid: whoever has many. */
  readonly under?: number;
  /** How many there have been of this uid since the programs were loaded. */
  readonly total: number;
  readonly watched: boolean;
  readonly evidence: () => Evidence;
}

/** What is kept of one uid; the rest is counted. */
const evidenceMax = 20;
/** As many as the programs remember. */
const uidsMax = 8192;

export class RefusalTally<Evidence> {
  /** How many of each uid have been counted since the programs were loaded. */
  #seen = new Map<number, number>();
  #uids = new Map<number, Refused<Evidence>>();

  /** From here on; `totals`: what the programs have counted before. */
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

  /** Since what is known of the uid. One more than can be remembered is counted each time for itself alone. */
  #countOf(uid: number, total: number): number {
    const seen = this.#seen.get(uid) ?? 0;
    if (seen === 0 && this.#seen.size >= uidsMax) return 1;
    this.#seen.set(uid, total);
    // The total has those that were not told of. It is less where the programs forgot the uid.
    return total > seen ? total - seen : 1;
  }

  /** All since the last call, by uid. */
  take(): ReadonlyMap<number, Readonly<Refused<Evidence>>> {
    const all = this.#uids;
    this.#uids = new Map();
    return all;
  }
}

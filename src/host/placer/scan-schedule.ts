/**
 * The schedule of scans of all processes, and the findings of the last one. A scan is due every minute, every two seconds
 * on a host that reports no events, and soon after anything that may have left a process outside.
 */
import type { PidHistory } from './pid-history.ts';
import type { PlacementResult } from './placer.ts';
import { unknownMax, type PlacerStatus } from './protocol.ts';
import { outrunReason, Scan, type ScanResult } from './scan.ts';
import type { Look } from './sweep.ts';

interface Parts {
  readonly clock: PidHistory;
  readonly place: (pid: number, look?: Look) => PlacementResult;
  /** Whether the kernel reports changes of uid. */
  readonly hasEvents: () => boolean;
}

const milliseconds = { withEvents: 60_000, polling: 2_000, unsettled: 1_000, betweenMin: 100 };
const outrunScansMax = 5;

export class ScanSchedule {
  readonly #parts: Parts;
  #scan: Scan | undefined;
  /** The time of the next scan; never before there are targets. */
  #dueAt = Infinity;
  #began = 0;
  /**
   * Whether events were lost or a sweep failed since the last scan began: a process may be outside that nothing
   * follows.
   */
  #isOwed = false;
  /** Requested scans that need one that starts later. */
  #wantedId = 0;
  #scanId = 0;
  #scanned = 0;
  #outrunScans = 0;
  #last: Pick<ScanResult, 'outside' | 'unknown'> = { outside: [], unknown: [] };
  /** Facts that could not be determined since the last full scan. */
  readonly #unknownSince = new Set<string>();
  #scannedAt: number | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get dueAt(): number {
    return this.#dueAt;
  }

  /** The time at which the current scan, or the last one, began. */
  get began(): number {
    return this.#began;
  }

  get isRunning(): boolean {
    return this.#scan !== undefined;
  }

  /** Whether the current scan inspects processes that were forked since it began. */
  get isFollowing(): boolean {
    return this.#scan?.isFollowing === true;
  }

  get isOwed(): boolean {
    return this.#isOwed;
  }

  /** Whether there was a complete scan. */
  get isKnown(): boolean {
    return this.#scannedAt !== undefined;
  }

  /** Has the request answered by a scan that begins now. */
  request(id: number): void {
    this.#wantedId = id;
    this.#dueAt = -Infinity;
  }

  /** Begins anew: processes inspected with the old targets have to be inspected again. */
  restart(): void {
    this.#scan = undefined;
    this.#dueAt = -Infinity;
  }

  /** Notes that a process may be outside that nothing follows. */
  owe(): void {
    this.#isOwed = true;
  }

  soon(): void {
    this.owe();
    this.#within(0);
  }

  isUnknown(why: string): void {
    if (this.#unknownSince.size < unknownMax) this.#unknownSince.add(why);
    this.#within(milliseconds.unsettled);
  }

  #within(time: number): void {
    const min = this.#began + milliseconds.betweenMin;
    this.#dueAt = Math.min(this.#dueAt, Math.max(min, performance.now() + time));
  }

  /** Advances the scan, and begins one that is due. Returns the result of one that is complete. */
  step(pieceMilliseconds: number): ScanResult | 'more' | 'none' {
    if (this.#scan === undefined && this.#dueAt <= performance.now()) this.#begin();
    if (this.#scan === undefined) return 'none';
    const found = this.#scan.step(pieceMilliseconds);
    if (found === undefined) return 'more';
    this.#scan = undefined;
    this.#end(found);
    return found;
  }

  #begin(): void {
    const { clock, place, hasEvents } = this.#parts;
    clock.readPidMax();
    this.#scanId = this.#wantedId;
    this.#began = performance.now();
    this.#isOwed = false;
    this.#dueAt = this.#began + (hasEvents() ? milliseconds.withEvents : milliseconds.polling);
    this.#scan = new Scan(clock, place);
  }

  #end({ outside, unknown, outrun }: ScanResult): void {
    // A complete scan knows all processes, whatever was unknown before.
    const also = outrun ? [...this.#unknownSince, outrunReason] : [];
    this.#last = { outside, unknown: [...unknown, ...also] };
    this.#unknownSince.clear();
    this.#scannedAt = Date.now();
    this.#outrunScans = outrun ? this.#outrunScans + 1 : 0;
    if (outrun) this.owe();
    // Requests for it are served by a later scan, once the forking tenants have been caught.
    if (outrun && this.#outrunScans < outrunScansMax) this.soon();
    else this.#scanned = this.#scanId;
  }

  get status(): Pick<PlacerStatus, 'outside' | 'unknown' | 'progress' | 'scannedAt' | 'scanned'> {
    const { outside, unknown } = this.#last;
    return {
      outside,
      unknown: [...new Set([...unknown, ...this.#unknownSince])].slice(0, unknownMax),
      ...(this.#scannedAt === undefined
        ? { progress: this.#scan?.progress ?? 0 }
        : { scannedAt: this.#scannedAt }),
      scanned: this.#scanned,
    };
  }
}

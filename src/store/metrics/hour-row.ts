/**
 * One metric of a run of ticks, rolled up: a column of an `hours` row.
 *
 * Each member has the sum over its time (for averages), its maximum, and its seconds in each bin of a histogram, except
 * zero. It was idle for the rest of the run's seconds. Bins are an eighth of an octave, so a quantile is within 6.3 %.
 *
 *     peak     float         the maximum that all tenants used together in one tick; not compressed
 *     sums     double × n    value times seconds      ┐
 *     maxima   code × n                               │
 *     entries  16 bits × n   used bins of each        │ deflated
 *     bins     16 bits × m   how far above the last   │
 *     seconds  code × m                               ┘
 *
 * A metric that can be unknown has another `float` before all this: the seconds for which it was known. Nothing follows
 * if it was zero then.
 */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { MetricKey } from '../../usage/metrics.ts';
import { isPartKey } from '../../usage/part-keys.ts';
import { binCount, binShift, encodeSample, sampleValues } from './sample-code.ts';

export interface HourColumn {
  readonly peak: number;
  readonly sums: Float64Array;
  readonly maxima: Uint16Array;
  readonly entries: Uint16Array;
  /** Differences to the previous bin of the same member; the first one as it is. */
  readonly bins: Uint16Array;
  readonly seconds: Uint16Array;
}

/** The peak, sums and maxima of a column, which are its first bytes. */
export type HourTotals = Pick<HourColumn, 'peak' | 'sums' | 'maxima'>;

const peakBytes = 4;
const knownBytes = 4;
const bytesPerTotal = 8 + 2;
const bytesPerMember = bytesPerTotal + 2;
const bytesPerEntry = 2 + 2;
/** A bound far above any real hour: 100,000 members with all bins would be too many for one row. */
const bytesMax = 64 * 2 ** 20;
const level = 6;

export function encodeHourColumn(column: HourColumn): Uint8Array {
  const { peak, sums, maxima, entries, bins, seconds } = column;
  const parts = [sums, maxima, entries, bins, seconds].map(
    (part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength),
  );
  const head = new Uint8Array(new Float32Array([peak]).buffer);
  return Buffer.concat([head, deflateRawSync(Buffer.concat(parts), { level })]);
}

/** Adds the seconds for which a metric was known, if it can be unknown. */
export function withKnown(
  metric: MetricKey,
  bytes: Uint8Array | undefined,
  seconds: number,
): Uint8Array | undefined {
  if (!isPartKey(metric)) return bytes;
  if (seconds === 0) return undefined;
  const head = new Uint8Array(new Float32Array([seconds]).buffer);
  return bytes === undefined ? head : Buffer.concat([head, bytes]);
}

/** A column, and the seconds of its run for which the metric was known. */
export interface KnownColumn {
  readonly seconds: number;
  /** Null if it was zero then. */
  readonly bytes: Uint8Array | null;
}

/** Splits what `withKnown` has put together; `seconds`: of the run. */
export function splitKnown(
  metric: MetricKey,
  bytes: Uint8Array | null,
  seconds: number,
): KnownColumn {
  if (!isPartKey(metric)) return { seconds, bytes };
  if (bytes === null || bytes.byteLength < knownBytes) return { seconds: 0, bytes: null };
  const [known = 0] = new Float32Array(Uint8Array.from(bytes.subarray(0, knownBytes)).buffer);
  const column = bytes.byteLength === knownBytes ? null : bytes.subarray(knownBytes);
  // A number that is none, or not above 0, is damaged; one above the run's is rounded.
  return { seconds: known > 0 ? Math.min(known, seconds) : 0, bytes: column };
}

export function peakOf(bytes: Uint8Array): number {
  if (bytes.byteLength < peakBytes) return 0;
  return new Float32Array(bytes.slice(0, peakBytes).buffer)[0] ?? 0;
}

/** Decodes a column; returns `undefined` if the bytes are corrupt. */
export function decodeHourColumn(bytes: Uint8Array, count: number): HourColumn | undefined {
  const raw = inflate(bytes.subarray(peakBytes));
  const rest = (raw?.byteLength ?? 0) - count * bytesPerMember;
  if (raw === undefined || rest < 0 || rest % bytesPerEntry !== 0) return undefined;
  const used = rest / bytesPerEntry;
  const { buffer } = raw;
  const maximaAt = count * 8;
  const entriesAt = maximaAt + count * 2;
  const binsAt = entriesAt + count * 2;
  return {
    peak: peakOf(bytes),
    sums: new Float64Array(buffer, 0, count),
    maxima: new Uint16Array(buffer, maximaAt, count),
    entries: new Uint16Array(buffer, entriesAt, count),
    bins: new Uint16Array(buffer, binsAt, used),
    seconds: new Uint16Array(buffer, binsAt + used * 2, used),
  };
}

/** Deflated sums are rarely longer than they were; this is enough for nearly all columns. */
const deflatedTotalsMax = (count: number) => 64 + 9 * count;

/**
 * Decodes the peak, sums and maxima only. Histograms are most of a column, and inflating them most of the work. Returns
 * `undefined` if these bytes are corrupt.
 */
export function decodeHourTotals(bytes: Uint8Array, count: number): HourTotals | undefined {
  const deflated = bytes.subarray(peakBytes);
  const wanted = count * bytesPerTotal;
  const begin = inflate(deflated.subarray(0, deflatedTotalsMax(count)), beginOnly);
  const raw = (begin?.byteLength ?? 0) >= wanted ? begin : inflate(deflated);
  if (raw === undefined || raw.byteLength < wanted) return undefined;
  const { buffer } = raw.slice(0, wanted);
  return {
    peak: peakOf(bytes),
    sums: new Float64Array(buffer, 0, count),
    maxima: new Uint16Array(buffer, count * 8, count),
  };
}

/** Lets zlib return what it has at the end of bytes that are cut off. */
const beginOnly = { finishFlush: constants.Z_SYNC_FLUSH };

function inflate(bytes: Uint8Array, options = {}): Uint8Array<ArrayBuffer> | undefined {
  try {
    // A copy: the result of zlib may be anywhere in a larger buffer.
    return new Uint8Array(inflateRawSync(bytes, { maxOutputLength: bytesMax, ...options }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return undefined;
  }
}

/** Accumulates one metric of a run of ticks; `slots` are members, numbered from 0. */
export class HourTally {
  readonly #sums: Float64Array;
  readonly #maxima: Uint16Array;
  readonly #isTenant: Uint8Array;
  /** The histograms of all members, one after the other. */
  readonly #cells: Float32Array;
  #peak = 0;

  constructor(isTenant: Uint8Array) {
    this.#isTenant = isTenant;
    this.#sums = new Float64Array(isTenant.length);
    this.#maxima = new Uint16Array(isTenant.length);
    this.#cells = new Float32Array(isTenant.length * binCount);
  }

  /** Adds a tick: `slots[i]` has `codes[i]` for that many seconds. */
  add(slots: Uint32Array, codes: Uint16Array, seconds: number): void {
    let total = 0;
    for (let index = 0; index < codes.length; index++) {
      const code = codes[index] ?? 0;
      if (code === 0) continue;
      const slot = slots[index] ?? 0;
      const value = sampleValues[code] ?? 0;
      if (this.#isTenant[slot] === 1) total += value;
      this.#sums[slot] = (this.#sums[slot] ?? 0) + value * seconds;
      if (code > (this.#maxima[slot] ?? 0)) this.#maxima[slot] = code;
      const cell = slot * binCount + (code >> binShift);
      this.#cells[cell] = (this.#cells[cell] ?? 0) + seconds;
    }
    if (total > this.#peak) this.#peak = total;
  }

  /** Returns the sum since the last call; `undefined` if all of it was zero. */
  take(): HourColumn | undefined {
    const entries = new Uint16Array(this.#sums.length);
    const bins: number[] = [];
    const seconds: number[] = [];
    for (let slot = 0; slot < entries.length; slot++) {
      if (this.#maxima[slot] === 0) continue;
      const begin = slot * binCount;
      let last = 0;
      const max = (this.#maxima[slot] ?? 0) >> binShift;
      for (let bin = 0; bin <= max; bin++) {
        const spent = this.#cells[begin + bin] ?? 0;
        if (spent === 0) continue;
        bins.push(bin - last);
        last = bin;
        seconds.push(encodeSample(spent));
        entries[slot] = (entries[slot] ?? 0) + 1;
      }
    }
    const column = {
      peak: this.#peak,
      sums: this.#sums.slice(),
      maxima: this.#maxima.slice(),
      entries,
      bins: Uint16Array.from(bins),
      seconds: Uint16Array.from(seconds),
    };
    this.#clear();
    return bins.length === 0 ? undefined : column;
  }

  #clear(): void {
    this.#sums.fill(0);
    this.#maxima.fill(0);
    this.#cells.fill(0);
    this.#peak = 0;
  }
}

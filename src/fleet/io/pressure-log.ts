/** Measures, minute by minute, whether the host waits for memory or disks, and keeps that for two weeks. */
import { readFileSync } from 'node:fs';
import { errnoOf } from '../../../packages/base/io/errno.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';
import type { Paths } from '../../host/paths.ts';
import { parsePressure } from '../../host/host-figures.ts';
import type { Pressure } from '../core/gate.ts';
import type { Period } from '../core/hits.ts';
import {
  addMinute,
  pressedDays,
  pressedResources,
  runGapMinutesMax,
  type PressedResource,
  type PressureSlot,
} from '../core/pressure-days.ts';

const minuteMilliseconds = 60_000;
/** The part of a minute in which work stood still that makes it one under pressure. */
const stalledPart = 0.1;
/** How often the record is written. It is worth no more. */
const writeMilliseconds = 600_000;
const readBytesMax = 2 ** 20;

/** Microseconds in which all work stood still; undefined: they could not be read. */
type Totals = Readonly<Record<PressedResource, number | undefined>>;

/** The finding of a watch about a resource. */
interface Watched {
  readonly runs: number;
  /** The time of the last minute under pressure, by a clock that is never set back. */
  readonly lastAt: number;
  /** Whether each minute was measured. */
  readonly isKnown: boolean;
}

const nothingYet: Watched = { runs: 0, lastAt: -Infinity, isKnown: true };

export class PressureLog {
  readonly #proc: string;
  readonly #file: string;
  /** The resources that this kernel does not measure. */
  readonly #absent: ReadonlySet<PressedResource>;
  #slots: readonly PressureSlot[];
  #last: { readonly at: number; readonly totals: Totals } | undefined;
  #written = performance.now();
  #watched: Record<PressedResource, Watched> = { memory: nothingYet, io: nothingYet };

  constructor({ proc }: Pick<Paths, 'proc'>, directory: string) {
    this.#proc = proc;
    this.#file = `${directory}/pressure.json`;
    this.#slots = parseSlots(readText(this.#file));
    this.#absent = new Set(pressedResources.filter((name) => isAbsent(this.#fileOf(name))));
  }

  /** Called after each tick. `at`: milliseconds since 1970. */
  see(at: number): void {
    const now = performance.now();
    const since = now - (this.#last?.at ?? -Infinity);
    if (this.#last !== undefined && since < minuteMilliseconds) return;
    const totals = this.#read();
    if (this.#last !== undefined) this.#count({ at, now, since }, this.#last.totals, totals);
    this.#last = { at: now, totals };
    if (now - this.#written < writeMilliseconds) return;
    this.#written = now;
    // It only says what was ordinary: without it, less can be compared.
    // A host that has left its fleet has no directory for it.
    replaceFile(this.#file, JSON.stringify(this.#slots), 0o600);
  }

  #count({ at, now, since }: Minute, before: Totals, after: Totals): void {
    const pressed = { memory: false, io: false };
    const unknown = pressedResources.filter((name) => {
      if (this.#absent.has(name)) return false;
      const [from, to] = [before[name], after[name]];
      // A host that slept, or a file that could not be read: that minute is not known.
      if (since > 2 * minuteMilliseconds || from === undefined || to === undefined) return true;
      pressed[name] = to - from > stalledPart * since * 1000;
      return false;
    });
    for (const name of unknown) this.#watched[name] = { ...this.#watched[name], isKnown: false };
    for (const name of pressedResources)
      if (pressed[name]) this.#watched[name] = withMinute(this.#watched[name], now);
    if (unknown.length === 0) this.#slots = addMinute(this.#slots, at, pressed);
  }

  /** Begins to count for a watch. */
  begin(): void {
    this.#watched = { memory: nothingYet, io: nothingYet };
  }

  /** Returns the runs of minutes under pressure since the watch began, and in the same hours of earlier days. */
  seen(watch: Period, resource: PressedResource): Pressure | 'unknown' | 'absent' {
    if (this.#absent.has(resource)) return 'absent';
    const { isKnown, runs } = this.#watched[resource];
    return isKnown ? { runs, days: pressedDays(this.#slots, watch, resource) } : 'unknown';
  }

  #fileOf(name: PressedResource): string {
    return `${this.#proc}/pressure/${name}`;
  }

  #read(): Totals {
    const totalOf = (name: PressedResource) => {
      const found = parsePressure(readText(this.#fileOf(name)) ?? '');
      return found?.fullMicroseconds ?? found?.someMicroseconds;
    };
    return { memory: totalOf('memory'), io: totalOf('io') };
  }
}

interface Minute {
  /** Milliseconds since 1970, and by a clock that is never set back. */
  readonly at: number;
  readonly now: number;
  /** The milliseconds since the last one. */
  readonly since: number;
}

function withMinute({ runs, lastAt, isKnown }: Watched, now: number): Watched {
  const isNewRun = now - lastAt > (runGapMinutesMax + 0.5) * minuteMilliseconds;
  return { runs: isNewRun ? runs + 1 : runs, lastAt: now, isKnown };
}

/** Whether the kernel has no such measure: any other failure may pass. */
function isAbsent(file: string): boolean {
  try {
    readFileSync(file);
    return false;
  } catch (error) {
    return ['ENOENT', 'ENOTDIR', 'EOPNOTSUPP'].includes(errnoOf(error));
  }
}

function parseSlots(text = '[]'): readonly PressureSlot[] {
  if (text.length > readBytesMax) return [];
  try {
    const slots: unknown = JSON.parse(text);
    return Array.isArray(slots) ? (slots as readonly unknown[]).filter(isSlot) : [];
  } catch {
    return [];
  }
}

const isSlot = (value: unknown): value is PressureSlot => {
  const { slot, measured, memory, io } = (value ?? {}) as Partial<PressureSlot>;
  return [slot, measured, memory, io].every((each) => Number.isSafeInteger(each) && each! >= 0);
};

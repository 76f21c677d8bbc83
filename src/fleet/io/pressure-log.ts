/** Measures, minute by minute, whether the host waits for memory or disks, and keeps that for two weeks. */
import { readText } from '../../../packages/base/io/read.ts';
import { replaceStateFile } from '../../../packages/base/io/replace-file.ts';
import type { Paths } from '../../host/paths.ts';
import { parsePressure } from '../../host/host-figures.ts';
import type { Pressure } from '../core/gate.ts';
import type { Period } from '../core/hits.ts';
import {
  addMinute,
  pressedDays,
  pressedResources,
  type PressedResource,
  type PressureSlot,
} from '../core/pressure-days.ts';

const minuteMilliseconds = 60_000;
/** The part of a minute in which work stood still that makes it one under pressure. */
const stalledPart = 0.1;
/** How often the record is written. It is worth no more. */
const writeMilliseconds = 600_000;
const readBytesMax = 2 ** 20;

type Totals = Readonly<Record<PressedResource, number>>;

export class PressureLog {
  readonly #proc: string;
  readonly #file: string;
  #slots: readonly PressureSlot[];
  #last: { readonly at: number; readonly totals: Totals } | undefined;
  #written = performance.now();
  /** The minutes of the watch that goes on. */
  #watched: Record<PressedResource, number> = { memory: 0, io: 0 };
  #isKnown = true;

  constructor({ proc }: Pick<Paths, 'proc'>, directory: string) {
    this.#proc = proc;
    this.#file = `${directory}/pressure.json`;
    this.#slots = parseSlots(readText(this.#file));
  }

  /** Called after each tick. `at`: milliseconds since 1970. */
  see(at: number): void {
    const now = performance.now();
    const since = now - (this.#last?.at ?? -Infinity);
    if (this.#last !== undefined && since < minuteMilliseconds) return;
    const totals = this.#read();
    if (this.#last !== undefined) this.#count(at, since, this.#last.totals, totals);
    this.#last = totals && { at: now, totals };
    if (now - this.#written < writeMilliseconds) return;
    this.#written = now;
    // It only says what was ordinary: without it, less can be compared.
    replaceStateFile(this.#file, JSON.stringify(this.#slots));
  }

  #count(at: number, since: number, before: Totals, after: Totals | undefined): void {
    // A host that slept, or a kernel that stopped to count: that minute is not known.
    if (after === undefined || since > 2 * minuteMilliseconds) {
      this.#isKnown = false;
      return;
    }
    const isPressed = (name: PressedResource) =>
      after[name] - before[name] > stalledPart * since * 1000;
    const pressed = { memory: isPressed('memory'), io: isPressed('io') };
    for (const name of pressedResources) this.#watched[name] += Number(pressed[name]);
    this.#slots = addMinute(this.#slots, at, pressed);
  }

  /** Begins to count for a watch. */
  begin(): void {
    this.#watched = { memory: 0, io: 0 };
    this.#isKnown = true;
  }

  /** Returns the minutes under pressure since the watch began, and in the same hours of earlier days. */
  seen(watch: Period, resource: PressedResource): Pressure | 'unknown' | 'absent' {
    if (this.#read() === undefined) return 'absent';
    if (!this.#isKnown) return 'unknown';
    return { minutes: this.#watched[resource], days: pressedDays(this.#slots, watch, resource) };
  }

  #read(): Totals | undefined {
    const [memory, io] = pressedResources.map((name) => {
      const found = parsePressure(readText(`${this.#proc}/pressure/${name}`) ?? '');
      return found?.fullMicroseconds ?? found?.someMicroseconds;
    });
    return memory === undefined || io === undefined ? undefined : { memory, io };
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

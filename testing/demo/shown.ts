/** A limit as it is shown on this host: its value, its cgroup, and its readings. */
import type { Driver } from '../../src/host/driver.ts';
import type { Support } from '../../src/limits/support.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { gaugeOf, formatGaugeLimit, formatUse, type GaugeReading } from './gauge.ts';
import { meters, type DemoMeter } from './meter.ts';
import { readPeak } from './peaks.ts';
import { cgroupOf, meterLimit, sharedCgroupOf } from './policy.ts';
import type { Row } from './screen/row.ts';
import { SampleSeries, type Readings } from './sample.ts';
import type { Scratch } from './scratch.ts';
import type { Cause } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';

export interface ShownMeter {
  readonly meter: DemoMeter;
  readonly cgroup: string;
  readonly limit: number;
  readonly support: Support;
  /** Why there is nothing to show here; no load is started then. */
  readonly missing: string | undefined;
  readonly alone: number | undefined;
}

export function shownOn(
  policy: Policy,
  driver: Driver,
  scratch: Result<Scratch, Cause>,
): readonly ShownMeter[] {
  return meters.map((meter): ShownMeter => {
    const support = driver.capabilities.limits.get(meter.key) ?? { level: 'none' };
    const unwritable = meter.gauge === 'disk' && !scratch.ok ? scratch.error.reason : undefined;
    return {
      meter,
      cgroup: cgroupOf(meter, policy),
      limit: meterLimit(meter, policy),
      support,
      missing: support.level === 'none' ? reasonOf(support) : unwritable,
      alone: scratch.ok ? scratch.value.speeds.get(meter.key) : undefined,
    };
  });
}

function reasonOf({ reason = 'this kernel does not have it', help }: Support): string {
  return help === undefined ? reason : `${reason}; ${help}`;
}

/** Returns all cgroups whose counters are needed. */
export const cgroupsOf = (all: readonly ShownMeter[]): ReadonlySet<string> =>
  new Set(all.flatMap(({ cgroup }) => [cgroup, sharedCgroupOf(cgroup)]));

export function readingOf(
  { meter, cgroup, limit, alone }: ShownMeter,
  readings: Readings,
): GaugeReading {
  const own = readings.get(cgroup) ?? new SampleSeries();
  const shared = readings.get(sharedCgroupOf(cgroup)) ?? own;
  const peak = (which: Parameters<typeof readPeak>[1]) => readPeak(cgroup, which);
  const read = gaugeOf(meter.gauge, meter.key).read({ own, shared, peak, limit });
  return { ...read, limit, alone };
}

/** Whether going on would change no verdict. */
export function isDecided(shown: ShownMeter, readings: Readings): boolean {
  const gauge = gaugeOf(shown.meter.gauge, shown.meter.key);
  const reading = readingOf(shown, readings);
  if (shown.missing === undefined && gauge.unjudged?.(reading) !== undefined) return false;
  return (
    shown.missing !== undefined ||
    !gauge.within(reading) ||
    gauge.pressed(reading) ||
    gauge.isOutOfReach?.(reading) === true
  );
}

export function rowOf(shown: ShownMeter, readings: Readings): Row {
  const { meter, limit, missing } = shown;
  const { uid, title, does, key, gauge: name } = meter;
  const row = { uid, title, does, limit: formatGaugeLimit(name, key, limit) };
  if (missing !== undefined) {
    return { ...row, use: '-', filled: undefined, hits: `not here: ${missing}`, state: 'off' };
  }
  const reading = readingOf(shown, readings);
  const gauge = gaugeOf(name, key);
  const isOver = reading.use > limit && !gauge.within({ ...reading, measured: reading.use });
  const isHit = reading.hits > 0;
  return {
    ...row,
    use: formatUse(key, reading.use),
    filled: reading.use / limit,
    hits: isHit ? gauge.hits(reading, (value) => formatUse(key, value)) : '',
    state: isHit ? 'hit' : isOver ? 'over' : 'quiet',
  };
}

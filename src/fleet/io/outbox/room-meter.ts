/**
 * Measures the room of a host for its status: once an hour from a week of history, which is read in a thread of its own.
 * Pressure covers the last minutes. The kernel's own average stands for the minutes before the agent started.
 */
import { uptime } from 'node:os';
import type { FleetEngine } from '../../../agent/fleet/fleet-agent.ts';
import type { HostFigures } from '../../../host/host-figures.ts';
import { weightedQuantile } from '../../core/weighted-quantile.ts';
import type { RoomFigures, RoomPressure, RoomReport, RoomResource } from '../../core/room.ts';

type RoomEngine = Pick<FleetEngine, 'history' | 'figures' | 'promised'>;

const week = 7 * 86_400_000;
/** Ten minutes each. */
const points = 7 * 24 * 6;
const measureMilliseconds = 3_600_000;
const retryMilliseconds = 60_000;
const pressureMilliseconds = 300_000;
/** Three times the length of the kernel's average: then 95 % of it is of measured time. */
const averagedSecondsMin = 900;
const metrics = { cpu: 'cpu', memory: 'anonymous' } as const;

interface Used {
  readonly p95: number | null;
  readonly peak: number | null;
}

interface Measured extends Readonly<Record<RoomResource, Used>> {
  readonly seconds: number | null;
}

const nothing: Used = { p95: null, peak: null };

/** Microseconds of pressure since the kernel started, at a time of the clock that is never set back. */
interface PressureAt {
  readonly at: number;
  readonly pressure: HostFigures['pressure'];
}

export class RoomMeter {
  readonly #uptime: () => number;
  #measured: Measured = { seconds: null, cpu: nothing, memory: nothing };
  #measureAt = -Infinity;
  #since: PressureAt | undefined;
  #pressure: RoomPressure = { cpu: null, memory: null, io: null };

  /** `uptimeSeconds`: the time since the kernel started. */
  constructor(uptimeSeconds: () => number = uptime) {
    this.#uptime = uptimeSeconds;
  }

  /** Returns the room as far as it is known now. */
  report(engine: RoomEngine): RoomReport {
    if (performance.now() >= this.#measureAt) void this.measure(engine);
    const { cores, memoryBytes, pressure } = engine.figures();
    this.#follow(pressure);
    const { seconds, cpu, memory } = this.#measured;
    const promised = engine.promised();
    const of = (has: number | undefined, resource: RoomResource, used: Used): RoomFigures => ({
      has: has ?? null,
      promised: statedSum(promised?.[resource].sum, resource),
      unlimited: promised?.[resource].unlimited ?? null,
      ...used,
    });
    return {
      measuredSeconds: seconds,
      cpu: of(cores, 'cpu', cpu),
      memory: of(memoryBytes, 'memory', memory),
      pressure: this.#pressure,
    };
  }

  /** Measures what tenants use. */
  async measure({ history }: RoomEngine): Promise<void> {
    this.#measureAt = performance.now() + measureMilliseconds;
    const to = Date.now();
    const period = { from: to - week, to };
    const columns = await history().columns({
      ...period,
      of: 'tenants',
      metrics: Object.values(metrics),
      points,
    });
    if (!columns.ok) return this.#tryAgain();
    const { seconds, metrics: found } = columns.value;
    const used = async (resource: RoomResource): Promise<Used> => {
      const metric = metrics[resource];
      const p95 = weightedQuantile(found.get(metric)?.averages ?? [], seconds, 0.95);
      const peak = await history().peakTotal({ ...period, metric });
      if (p95 === undefined) return nothing;
      // An average of ten minutes is no more than the most of a moment.
      const most = peak.ok ? rounded(resource, Math.max(peak.value, p95)) : null;
      return { p95: rounded(resource, p95), peak: most };
    };
    this.#measured = {
      seconds: Math.round(seconds.reduce((sum, each) => sum + each, 0)),
      cpu: await used('cpu'),
      memory: await used('memory'),
    };
  }

  /** The history may be busy, or its file is being made. */
  #tryAgain(): void {
    this.#measureAt = performance.now() + retryMilliseconds;
  }

  /** Returns the kernel's averages; unknown while it has not run for long, since they begin with 0. */
  #averaged(pressure: HostFigures['pressure']): RoomPressure {
    const isKnown = this.#uptime() >= averagedSecondsMin;
    const partOf = (resource: keyof RoomPressure) => {
      const part = pressure.find((each) => each.resource === resource)?.somePart300;
      return part === undefined || !isKnown ? null : Math.min(1, Number(part.toFixed(3)));
    };
    return { cpu: partOf('cpu'), memory: partOf('memory'), io: partOf('io') };
  }

  #follow(pressure: HostFigures['pressure']): void {
    const at = performance.now();
    if (this.#since === undefined) {
      this.#pressure = this.#averaged(pressure);
      this.#since = { at, pressure };
      return;
    }
    const { at: before, pressure: last } = this.#since;
    if (at - before < pressureMilliseconds) return;
    const partOf = (resource: keyof RoomPressure) => {
      const [from, to] = [last, pressure].map((all) =>
        all.find((each) => each.resource === resource),
      );
      if (from === undefined || to === undefined) return null;
      const waited = (to.someMicroseconds - from.someMicroseconds) / 1000 / (at - before);
      return Number(Math.min(1, Math.max(0, waited)).toFixed(3));
    };
    this.#pressure = { cpu: partOf('cpu'), memory: partOf('memory'), io: partOf('io') };
    this.#since = { at, pressure };
  }
}

/** Returns a sum of limits; null: unknown, or more than a number can state. */
const statedSum = (sum: number | undefined, resource: RoomResource) =>
  sum === undefined || sum > Number.MAX_SAFE_INTEGER ? null : rounded(resource, sum);

/** Thousandths of a core, and whole bytes. */
const rounded = (resource: RoomResource, value: number) =>
  resource === 'cpu' ? Number(value.toFixed(3)) : Math.round(value);

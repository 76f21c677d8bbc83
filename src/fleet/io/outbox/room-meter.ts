/**
 * Measures the room of a host for its status: once an hour from a week of history, which is read in a thread of its own.
 * Pressure covers the last minutes.
 */
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
  #measured: Measured = { seconds: null, cpu: nothing, memory: nothing };
  #measureAt = -Infinity;
  #since: PressureAt | undefined;
  #pressure: RoomPressure = { cpu: null, memory: null, io: null };

  /** Returns the room as far as it is known now. */
  report(engine: RoomEngine): RoomReport {
    if (performance.now() >= this.#measureAt) void this.measure(engine);
    const { cores, memoryBytes, pressure } = engine.figures();
    this.#follow(pressure);
    const { seconds, cpu, memory } = this.#measured;
    const promised = engine.promised();
    const of = (has: number | undefined, resource: RoomResource, used: Used): RoomFigures => ({
      has: has ?? null,
      promised: promised === undefined ? null : rounded(resource, promised[resource].sum),
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

  #follow(pressure: HostFigures['pressure']): void {
    const at = performance.now();
    const { at: before = -Infinity, pressure: last = [] } = this.#since ?? {};
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

/** Thousandths of a core, and whole bytes. */
const rounded = (resource: RoomResource, value: number) =>
  resource === 'cpu' ? Number(value.toFixed(3)) : Math.round(value);

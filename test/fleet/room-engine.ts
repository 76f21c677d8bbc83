/** The part of an agent from which a host's room is measured. */
import { ok } from '../../packages/base/result.ts';
import type { FleetEngine, TenantUse } from '../../src/agent/fleet/fleet-agent.ts';

export const gibibyte: number = 2 ** 30;

/** A host of 4 cores and 16 GiB, whose tenants use the same amount in each of these parts of the week. */
export const roomEngine = (
  cpu: readonly (number | null)[] = [0.5, 1, 3, null],
  seconds: readonly number[] = [80_000, 20_000, 1_000, 0],
): Pick<FleetEngine, 'history' | 'figures' | 'promised' | 'tenantUse'> => ({
  tenantUse: ({ tenant }) =>
    Promise.resolve(
      ok({ measuredSeconds: 600_000, tenants: usedBy(tenant).length, rows: usedBy(tenant) }),
    ),
  promised: () => ({ cpu: { sum: 8, unlimited: 0 }, memory: { sum: 32 * gibibyte, unlimited: 1 } }),
  figures: () => ({
    cores: 4,
    memoryBytes: 16 * gibibyte,
    memoryAvailableBytes: undefined,
    pressure: [
      { resource: 'cpu', someMicroseconds: 1, somePart300: 0.125 },
      { resource: 'memory', someMicroseconds: 1, somePart300: 0 },
    ],
  }),
  history: () => ({
    columns: () =>
      Promise.resolve(
        ok({
          seconds,
          metrics: new Map([
            ['cpu', { averages: cpu, maxima: cpu }],
            ['anonymous', { averages: cpu.map((each) => each && each * gibibyte), maxima: [] }],
          ]),
        }),
      ),
    peakTotal: ({ metric }) => Promise.resolve(ok(metric === 'cpu' ? 3.75 : 4 * gibibyte)),
  }),
});

/** Thirty tenants: the uid is what each uses of a core, in thousandths. */
const usedBy = (tenant: string | null): readonly TenantUse[] =>
  Array.from({ length: 30 }, (_, each) => {
    const uid = 1000 + each;
    const average = uid / 1000;
    return {
      who: { member: `u${uid}` as const, name: `t${uid}`, package: 'business' },
      limits: { 'cpu.limit': 4 },
      use: {
        cpu: { average, p95: 2 * average, max: 3 * average },
        anonymous: { average: gibibyte, p95: 2 * gibibyte, max: 3 * gibibyte },
      },
    };
  }).filter(({ who }) => tenant === null || who.name === tenant);

/**
 * CPU time: a limit, a share under contention, and a burst above the limit, saved up while idle.
 *
 * The kernel's CFS bandwidth control grants `quota` microseconds in each period and throttles the
 * cgroup until the next one. Sources: cgroup-v2.rst "CPU Interface Files", scheduler/sched-bwc.rst.
 *
 * v1 refuses a child whose quota exceeds its parent's (EINVAL); on v2 the smaller one wins. So a
 * tenant above its reseller gets the reseller's value on v1.
 */
import {
  type CpuFraction,
  type Quantity,
  unlimited,
  type Weight,
} from '../../packages/base/quantity.ts';
import { setCount } from './count.ts';
import { eachLine } from './flat-file.ts';
import { pressureFile } from './pressure.ts';
import {
  full,
  missingController,
  setting,
  type CounterFile,
  type FileSetting,
  type KernelSide,
  type KernelSide2,
  type Limit,
  type LimitValues,
  type SupportContext,
} from './limit.ts';
import { weakSupport, type Support } from './support.ts';

/** The kernel's own default; with longer periods, throttled tenants stall for longer. */
export const periodMicroseconds = 100_000;
/** CFS refuses less than 1 ms. */
const quotaMicrosecondsMin = 1_000;

const attributes = {
  limit: {
    kind: 'cpu',
    fallback: unlimited,
    unlimited: true,
    min: 0.01,
    summary: 'The maximum CPU time; 100% is one core kept busy. Above it, processes are throttled.',
  },
  weight: {
    kind: 'weight',
    fallback: 100 as Weight,
    unlimited: false,
    min: 1,
    summary: 'The share of CPU under contention, relative to other tenants.',
  },
  burst: {
    kind: 'cpu',
    fallback: 0 as CpuFraction,
    unlimited: false,
    min: 0.01,
    summary:
      'CPU time above the limit that may be used in a short burst, saved up while below the limit; no more than the limit.',
  },
} as const;

function quotaMicroseconds(value: Quantity): number | 'max' {
  if (value === unlimited) return 'max';
  return Math.max(quotaMicrosecondsMin, Math.round(value * periodMicroseconds));
}

function burstMicroseconds(values: LimitValues, quota: number | 'max'): number {
  const burst = values['cpu.burst'];
  if (burst === undefined || burst === unlimited || quota === 'max') return 0;
  return Math.min(quota, Math.round(burst * periodMicroseconds));
}

function smaller(a: number | 'max', b: number | 'max'): number | 'max' {
  if (a === 'max') return b;
  return b === 'max' ? a : Math.min(a, b);
}

const weightOf = (values: LimitValues) => values['cpu.weight'] ?? attributes.weight.fallback;
const limitOf = (values: LimitValues) => values['cpu.limit'] ?? attributes.limit.fallback;

/** Converts weights to v1 shares, which start from 1024 where v2 weights start from 100. */
const sharesOf = (weight: Quantity) =>
  String(Math.max(2, Math.round((Number(weight) * 1024) / 100)));

/**
 *     usage_usec 23000        v2 only
 *     nr_periods 33
 *     nr_throttled 30
 *     throttled_usec 2400000  v1: throttled_time, in nanoseconds
 */
const cpuStat: CounterFile = {
  controller: 'cpu',
  file: 'cpu.stat',
  parse: (text, into) =>
    eachLine(text, (key, value) => {
      if (key === 'usage_usec') setCount(value, 'cpuMicroseconds', into);
      else if (key === 'nr_throttled') setCount(value, 'throttledPeriods', into);
      else if (key === 'throttled_usec') setCount(value, 'throttledMicroseconds', into);
      else if (key === 'throttled_time') setCount(value, 'throttledMicroseconds', into, 1000);
    }),
};

const cpuacctUsage: CounterFile = {
  controller: 'cpuacct',
  file: 'cpuacct.usage',
  indicatesActivity: true,
  parse: (text, into) => setCount(text, 'cpuMicroseconds', into, 1000),
};

function support(burstFile: string) {
  return (attribute: string, context: SupportContext): Support => {
    if (!context.controllers.has('cpu')) return missingController('cpu');
    if (attribute !== 'burst' || context.files.has(burstFile)) return full;
    return weakSupport('none', [{ code: 'no kernel file', value: burstFile }], {
      code: 'newer kernel',
      value: '5.14',
    });
  };
}

/** The step of systemd's quotas, percentages with two decimals of a period. Source: parse_permyriad of systemd. */
const stepMicroseconds = 10;

function roundedQuota(setting: FileSetting): FileSetting {
  const quota = Number(setting.value.split(' ')[0]);
  if (Number.isNaN(quota)) return setting;
  const value = `${quota - (quota % stepMicroseconds)} ${periodMicroseconds}`;
  return { ...setting, value, write: value };
}

/** Returns a quota's lines. An empty value removes a quota. */
function quotaLines([setting]: readonly FileSetting[]): readonly string[] {
  const quota = Number(setting?.value.split(' ')[0]);
  const percent = Number.isNaN(quota) ? '' : `${(quota * 100) / periodMicroseconds}%`;
  return [`CPUQuota=${percent}`, 'CPUQuotaPeriodSec=100ms'];
}

const cgroup2: KernelSide2<'cpu.max.burst' | 'cpu.max' | 'cpu.weight'> = {
  settings(values, context) {
    const quota = quotaMicroseconds(limitOf(values));
    const burst = String(burstMicroseconds(values, quota));
    return [
      setting('cpu.burst', 'cpu', 'cpu.max.burst', burst, '0'),
      setting(
        'cpu.limit',
        'cpu',
        'cpu.max',
        `${quota} ${periodMicroseconds}`,
        `max ${periodMicroseconds}`,
      ),
      setting('cpu.weight', 'cpu', 'cpu.weight', String(weightOf(values)), '100'),
    ].filter((each) => context.files.has(each.file));
  },
  since: { 'cpu.max.burst': 514, 'cpu.max': 415, 'cpu.weight': 415 },
  systemd: {
    'cpu.max.burst': 'none',
    'cpu.max': { rounded: roundedQuota, lines: quotaLines },
    'cpu.weight': 'CPUWeight',
  },
  counters: [
    { ...cpuStat, indicatesActivity: true },
    pressureFile('cpu', 'cpuPressureMicroseconds'),
  ],
  support: support('cpu.max.burst'),
};

const cgroup1: KernelSide<
  'cpu.cfs_burst_us' | 'cpu.cfs_quota_us' | 'cpu.cfs_period_us' | 'cpu.shares'
> = {
  settings(values, context) {
    const parentQuota =
      context.parentLimits === undefined ? 'max' : quotaMicroseconds(limitOf(context.parentLimits));
    const quota = smaller(quotaMicroseconds(limitOf(values)), parentQuota);
    const burst = String(burstMicroseconds(values, quota));
    return [
      setting('cpu.burst', 'cpu', 'cpu.cfs_burst_us', burst, '0'),
      setting('cpu.limit', 'cpu', 'cpu.cfs_quota_us', quota === 'max' ? '-1' : String(quota), '-1'),
      setting('cpu.limit', 'cpu', 'cpu.cfs_period_us', String(periodMicroseconds), '100000'),
      setting('cpu.weight', 'cpu', 'cpu.shares', sharesOf(weightOf(values)), '1024'),
    ].filter((each) => context.files.has(each.file));
  },
  since: {
    'cpu.cfs_burst_us': 514,
    'cpu.cfs_quota_us': 0,
    'cpu.cfs_period_us': 0,
    'cpu.shares': 0,
  },
  counters: [cpuStat, cpuacctUsage],
  support: support('cpu.cfs_burst_us'),
};

export const cpu: Limit = {
  name: 'cpu',
  summary: 'CPU time.',
  attributes,
  faults: [
    { attribute: 'limit', severity: 'throttled', counter: 'throttledPeriods', inferred: false },
  ],
  cgroup2,
  cgroup1,
};

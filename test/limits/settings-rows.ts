/** The lines `FILE TEXT` of each limit: on cgroup v1 and v2, set, unlimited, absent, and below a reseller that has less. */

export type Lines = readonly string[];
interface States {
  readonly set: Lines;
  /** `refused`: the policy may not say so. */
  readonly unlimited: Lines | 'refused';
  readonly absent: Lines;
  readonly below: Lines;
}
interface Row {
  /** The value that is set. */
  readonly value: string;
  /** Other attributes of the same limit, in all states. */
  readonly beside?: string;
  /** The limits of the reseller. */
  readonly parentLimits: string;
  readonly v1: States;
  readonly v2: States;
}

export const reseller = { uid: 1000, user: 'reseller' };
export const tenant = { uid: 1001, user: 'tenant' };

const alike = (states: States) => ({ v1: states, v2: states });
/** Limits that no kernel file and no quota holds yet. */
const nothing = alike({ set: [], unlimited: [], absent: [], below: [] });
const quota = (set: string, none: string) =>
  alike({ set: [set], unlimited: [none], absent: [], below: [set] });

export const caps2 = (rbps: string, wbps: string, riops: string, wiops: string): Lines => [
  `io.max 8:0 rbps=${rbps} wbps=${wbps} riops=${riops} wiops=${wiops}`,
];
export const noCaps2 = caps2('max', 'max', 'max', 'max');
const states = (set: Lines, none: Lines): States => ({
  set,
  unlimited: none,
  absent: none,
  below: set,
});
const throttle = (value: string, ...files: Lines) =>
  files.map((file) => `blkio.throttle.${file} 8:0 ${value}`);
const throttled = (value: string, ...files: Lines) =>
  states(throttle(value, ...files), throttle('0', ...files));

const noLimit1 = '-1';
export const rows: Readonly<Record<string, Row>> = {
  'cpu.limit': {
    value: '150%',
    parentLimits: 'limit="100%"',
    v1: {
      set: ['cpu.cfs_quota_us 150000', 'cpu.cfs_period_us 100000'],
      unlimited: ['cpu.cfs_quota_us -1', 'cpu.cfs_period_us 100000'],
      absent: ['cpu.cfs_quota_us -1', 'cpu.cfs_period_us 100000'],
      below: ['cpu.cfs_quota_us 100000', 'cpu.cfs_period_us 100000'],
    },
    v2: states(['cpu.max 150000 100000'], ['cpu.max max 100000']),
  },
  'cpu.weight': {
    value: '300',
    parentLimits: 'weight="200"',
    v1: {
      set: ['cpu.shares 3072'],
      unlimited: 'refused',
      absent: ['cpu.shares 1024'],
      below: ['cpu.shares 3072'],
    },
    v2: {
      set: ['cpu.weight 300'],
      unlimited: 'refused',
      absent: ['cpu.weight 100'],
      below: ['cpu.weight 300'],
    },
  },
  'cpu.burst': {
    value: '50%',
    beside: 'limit="100%"',
    parentLimits: 'limit="30%"',
    v1: {
      set: ['cpu.cfs_burst_us 50000'],
      unlimited: 'refused',
      absent: ['cpu.cfs_burst_us 0'],
      below: ['cpu.cfs_burst_us 30000'],
    },
    v2: {
      set: ['cpu.max.burst 50000'],
      unlimited: 'refused',
      absent: ['cpu.max.burst 0'],
      below: ['cpu.max.burst 50000'],
    },
  },
  'memory.limit': {
    value: '1GiB',
    parentLimits: 'limit="512MiB"',
    v1: states(
      ['memory.limit_in_bytes 1073741824', 'memory.memsw.limit_in_bytes 1073745920'],
      [`memory.limit_in_bytes ${noLimit1}`, `memory.memsw.limit_in_bytes ${noLimit1}`],
    ),
    v2: states(
      ['memory.max 1073741824', 'memory.swap.max 0'],
      ['memory.max max', 'memory.swap.max max'],
    ),
  },
  'memory.soft': {
    value: '64MiB',
    parentLimits: 'soft="32MiB"',
    v1: states(['memory.soft_limit_in_bytes 67108864'], [`memory.soft_limit_in_bytes ${noLimit1}`]),
    v2: states(['memory.high 67108864'], ['memory.high max']),
  },
  'memory.swap': {
    value: '64MiB',
    beside: 'limit="64MiB"',
    parentLimits: 'limit="32MiB" swap="32MiB"',
    v1: {
      set: ['memory.memsw.limit_in_bytes 134217728'],
      unlimited: [`memory.memsw.limit_in_bytes ${noLimit1}`],
      absent: ['memory.memsw.limit_in_bytes 67112960'],
      below: ['memory.memsw.limit_in_bytes 134217728'],
    },
    v2: {
      set: ['memory.swap.max 67108864'],
      unlimited: ['memory.swap.max max'],
      absent: ['memory.swap.max 0'],
      below: ['memory.swap.max 67108864'],
    },
  },
  'memory.guaranteed': {
    value: '64MiB',
    parentLimits: 'guaranteed="32MiB"',
    v1: { ...nothing.v1, unlimited: 'refused' },
    v2: {
      set: ['memory.low 67108864'],
      unlimited: 'refused',
      absent: ['memory.low 0'],
      below: ['memory.low 67108864'],
    },
  },
  'io.read': {
    value: '1MiB/s',
    parentLimits: 'read="1KiB/s"',
    v1: throttled('1048576', 'read_bps_device'),
    v2: states(caps2('1048576', 'max', 'max', 'max'), noCaps2),
  },
  'io.write': {
    value: '1MiB/s',
    parentLimits: 'write="1KiB/s"',
    v1: throttled('1048576', 'write_bps_device'),
    v2: states(caps2('max', '1048576', 'max', 'max'), noCaps2),
  },
  'io.total': {
    value: '1MiB/s',
    parentLimits: 'total="2KiB/s"',
    v1: throttled('524288', 'read_bps_device', 'write_bps_device'),
    v2: states(caps2('524288', '524288', 'max', 'max'), noCaps2),
  },
  'io.reads': {
    value: '500/s',
    parentLimits: 'reads="1/s"',
    v1: throttled('500', 'read_iops_device'),
    v2: states(caps2('max', 'max', '500', 'max'), noCaps2),
  },
  'io.writes': {
    value: '500/s',
    parentLimits: 'writes="1/s"',
    v1: throttled('500', 'write_iops_device'),
    v2: states(caps2('max', 'max', 'max', '500'), noCaps2),
  },
  'io.operations': {
    value: '500/s',
    parentLimits: 'operations="2/s"',
    v1: throttled('250', 'read_iops_device', 'write_iops_device'),
    v2: states(caps2('max', 'max', '250', '250'), noCaps2),
  },
  'processes.limit': {
    value: '100',
    parentLimits: 'limit="50"',
    ...alike(states(['pids.max 100'], ['pids.max max'])),
  },
  'entries.limit': { value: '20', parentLimits: 'limit="10"', ...nothing },
  'disk.space': {
    value: '1GiB',
    parentLimits: 'space="1MiB"',
    ...quota('quota /home 1073741824 bytes, kept files', 'quota /home any bytes, kept files'),
  },
  'disk.files': {
    value: '1000',
    parentLimits: 'files="10"',
    ...quota('quota /home kept bytes, 1000 files', 'quota /home kept bytes, any files'),
  },
  'network.send': { value: '1MiB/s', parentLimits: 'send="16KiB/s"', ...nothing },
  'network.receive': { value: '1MiB/s', parentLimits: 'receive="16KiB/s"', ...nothing },
  'network.connections': { value: '50/s', parentLimits: 'connections="10/s"', ...nothing },
  'database.cpu': { value: '50%', parentLimits: 'cpu="10%"', ...nothing },
  'database.connections': { value: '20', parentLimits: 'connections="10"', ...nothing },
  'database.statement': { value: '30s', parentLimits: 'statement="10s"', ...nothing },
  'database.transaction': { value: '5min', parentLimits: 'transaction="1min"', ...nothing },
};

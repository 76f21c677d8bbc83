/**
 * Reading the usage of 1,000 tenants, with kept descriptors, compared with pread of the same files
 * in C.
 */
import type { Driver } from '../src/host/driver.ts';
import { UsageReader } from '../src/host/cgroups/usage-reader.ts';
import type { CounterFile } from '../src/limits/limit.ts';
import { wantedOnHost } from '../src/plan/wanted-on-host.ts';
import { limits } from '../src/limits/limits.ts';
import type { Bench } from './bench.ts';
import { Floor } from './floor.ts';
import { compare, inTurn, milliseconds, type Section } from './samples.ts';
import { locator, Scratch } from './scratch.ts';

const tenants = 1_000;
const goal = 1.2;

export async function benchUsage({ directory, floor, quick, signal }: Bench): Promise<Section> {
  using scratch = new Scratch(directory, tenants);
  const { driver } = scratch.apply();
  const version = versionOf(driver);
  const hierarchies = scratch.hierarchies();
  const cgroups = wantedOnHost(scratch.policy, driver.context).cgroups.flatMap(({ kind, path }) => {
    return kind === 'tenant' ? [path] : [];
  });
  using reader = new UsageReader(hierarchies, version);
  for (const cgroup of cgroups) {
    if (!reader.track(cgroup)) throw new Error(`Cannot track the cgroup ${cgroup}`);
  }
  const locate = locator(hierarchies);
  // Files that follow others are read if these have changed; the C program gets those too.
  const counters = limits.flatMap((limit) => limit[sideOf(version)].counters);
  const idleCounters = counters.filter((each) => each.follows === undefined);
  const busyCounters = counters.filter((each) =>
    [undefined, 'cpuMicroseconds'].includes(each.follows),
  );
  const operations = (of: typeof counters) =>
    cgroups.flatMap((cgroup) =>
      of.map((each) => `${wordOf(each)}\t${locate(each.controller, cgroup, each.file)}`),
    );
  const [idleFile, busyFile] = [`${directory}/usage`, `${directory}/busy-usage`];
  await using c = new Floor(floor, 'usage', idleFile, operations(idleCounters));
  await using cBusy = new Floor(floor, 'usage', busyFile, operations(busyCounters));
  await using visitor = new Floor(
    floor,
    'make',
    `${directory}/visits`,
    visits(version, locate, cgroups),
  );
  const rounds = quick ? 15 : 51;
  const read = () => milliseconds(() => readAll(reader, cgroups));
  const [idle, idleC] = await inTurn(rounds, [read, () => c.pass()], signal);
  const visit = () => visitor.pass();
  const [, busy, , busyC] = await inTurn(rounds, [visit, read, visit, () => cBusy.pass()], signal);
  return {
    name: 'usage',
    title: `Read the usage of ${tenants} tenants, descriptors kept`,
    beside: 'C loop',
    rows: [
      compare('nothing has changed since', idle ?? [], idleC ?? [], goal),
      compare('every tenant has used CPU since', busy ?? [], busyC ?? [], goal),
    ],
    notes: [
      `the C loop reads ${idleCounters.length} files a tenant, and ${busyCounters.length} where CPU was used, of which it writes to each that keeps a peak`,
    ],
  };
}

/**
 * Returns the operation on a counter: a write resets the peak of memory; the peak of processes
 * cannot be reset.
 */
const wordOf = ({ controller, peak }: CounterFile) =>
  controller === 'memory' && peak !== undefined ? 'mark' : 'read';

const versionOf = (driver: Driver) => (driver.capabilities.driver === 'cgroup2' ? 2 : 1);

const sideOf = (version: 1 | 2) => (version === 2 ? 'cgroup2' : 'cgroup1');

/**
 * Returns visits of the C program: it goes through every cgroup itself, and back, which leaves each
 * some CPU time.
 */
function visits(
  version: 1 | 2,
  locate: ReturnType<typeof locator>,
  cgroups: readonly string[],
): readonly string[] {
  const [controller, file] =
    version === 2 ? (['cpu', 'cgroup.procs'] as const) : (['cpuacct', 'tasks'] as const);
  const back = locate(controller, '', '').replace(/\/[^/]*\/$/, `/${file}`);
  const paths = [...cgroups.map((cgroup) => locate(controller, cgroup, file)), back];
  return paths.map((path) => `visit\t${path}`);
}

function readAll(reader: UsageReader, cgroups: readonly string[]): void {
  for (const cgroup of cgroups) {
    if (reader.read(cgroup) === undefined) throw new Error(`The cgroup ${cgroup} is gone`);
  }
}

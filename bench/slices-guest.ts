/**
 * Applying a policy to systemd slices, in the virtual machine. It is compared with one `systemctl
 * set-property` a tenant, and with a C program that writes the same files before systemd reads
 * them. The processor is emulated, so only the ratios mean something there.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { longPatienceMilliseconds } from '../testing/patience.ts';
import { logToStderr, step } from '../testing/progress.ts';
import type { Guest } from '../testing/vm/guest.ts';
import type { Bench } from './bench.ts';
import { startBuiltGuest } from './built-guest.ts';
import { compare, spreadOf, type Row, type Section, type Spread } from './samples.ts';

const firstUid = 20_001;
/** The first uid of other accounts, whose slices and settings hold nothing of ours. */
const firstOther = 30_001;
const long = { timeoutMs: longPatienceMilliseconds };
/** How many of the calls are made; the rest is extrapolated. */
const callsMeasured = 20;
/** The goal: fifty times faster. */
const inactiveGoal = 0.02;

type Timed = 'each' | 'bare' | 'first' | 'changed' | 'again' | 'below';

export async function benchSlicesGuest({ quick, signal }: Bench): Promise<Section> {
  const section = {
    name: 'slices-guest',
    title: 'Apply to slices of systemd: in the virtual machine, with an emulated processor',
    beside: 'set-property each',
  };
  const started = await startBuiltGuest();
  if (!started.ok) return { ...section, rows: [], notes: [`skipped: ${started.error.reason}`] };
  await using guest = started.value;
  const tenants = quick ? 100 : 1000;
  const active = quick ? 10 : 100;
  const turns = quick ? 1 : 3;
  const rows = [
    ...(await inactiveRows(guest, tenants, turns, signal)),
    await activeRow(guest, tenants, active, turns),
  ];
  const notes = [`set-property: measured with ${callsMeasured} slices, and multiplied`];
  return { ...section, rows, notes };
}

async function inactiveRows(
  guest: Guest,
  tenants: number,
  turns: number,
  signal: AbortSignal,
): Promise<readonly Row[]> {
  await buildFloor(guest);
  const apply = () => milliseconds(guest, 'bulkhead apply');
  const written = async (driver: string, processes: number) => {
    await writePolicy(guest, tenants, driver, processes);
    return apply();
  };
  const release = () => guest.succeed('bulkhead release', long);
  const taken: Readonly<Record<Timed, number[]>> = {
    each: [],
    bare: [],
    first: [],
    changed: [],
    again: [],
    below: [],
  };
  for (let turn = 0; turn < turns; turn++) {
    signal.throwIfAborted();
    taken.each.push((await setProperty(guest, firstOther)).p50 * tenants);
    taken.bare.push(await bareFloor(guest, tenants));
    taken.first.push(await written('systemd', 40));
    taken.changed.push(await written('systemd', 41));
    taken.again.push(await apply());
    await release();
    taken.below.push(await written('cgroup2', 40));
    await release();
  }
  const row = (label: string, key: Timed, goal?: number) =>
    compare(label, taken[key], taken.each, goal);
  return [
    row(`${tenants} slices in which nothing runs`, 'first', inactiveGoal),
    row('  bare: the same files by a C program, and a reload', 'bare'),
    row('  another limit for all of them', 'changed'),
    row('  nothing to change', 'again'),
    row(`${tenants} cgroups, driver cgroup2`, 'below'),
  ];
}

async function activeRow(
  guest: Guest,
  tenants: number,
  active: number,
  turns: number,
): Promise<Row> {
  await writePolicy(guest, tenants, 'systemd', 40);
  await guest.succeed('bulkhead apply', long);
  await startIn(guest, firstUid, active);
  await startIn(guest, firstOther, callsMeasured);
  const each: number[] = [];
  const changed: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    each.push((await setProperty(guest, firstOther)).p50 * tenants);
    await writePolicy(guest, tenants, 'systemd', 41 + turn);
    changed.push(await milliseconds(guest, 'bulkhead apply'));
  }
  return compare(`${tenants} slices, something runs in ${active}`, changed, each);
}

/**
 * Measures the unavoidable part: a directory and a file for each slice, on disk, and systemd
 * reading them once. Removes them again.
 */
async function bareFloor(guest: Guest, count: number): Promise<number> {
  const run = (what: string) => `/root/files ${what} ${firstOther + 1000} ${count}`;
  const written = await milliseconds(guest, `${run('write')} && systemctl daemon-reload`);
  await guest.succeed(`${run('remove')} && systemctl daemon-reload`, long);
  return written;
}

/**
 * Builds the C program statically, since the guest has no compiler and need not have this machine's
 * libraries.
 */
async function buildFloor(guest: Guest): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'bulkhead-bench-'));
  try {
    const source = new URL('slices-floor.c', import.meta.url).pathname;
    execFileSync('gcc', ['-O2', '-static', '-o', join(directory, 'files'), source]);
    await guest.copyIn(join(directory, 'files'), '/root/files');
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Sets the properties of the policy below for slices of other accounts. */
async function setProperty(guest: Guest, first: number): Promise<Spread> {
  const samples: number[] = [];
  for (let index = 0; index < callsMeasured; index++) {
    const properties = 'CPUQuota=50% MemoryMax=200M MemorySwapMax=0 TasksMax=40';
    const command = `systemctl set-property user-${first + index}.slice ${properties}`;
    samples.push(await milliseconds(guest, command));
  }
  return spreadOf(samples);
}

async function writePolicy(guest: Guest, count: number, driver: string, processes: number) {
  const uids = Array.from({ length: count }, (_, index) => `<tenant uid="${firstUid + index}"/>`);
  await guest.succeed('mkdir -p /etc/bulkhead && cat > /etc/bulkhead/policy.xml', {
    input: `<bulkhead version="1"><host driver="${driver}"/><defaults><cpu limit="50%"/><memory limit="200MiB"/><processes limit="${processes}"/></defaults>${uids.join('')}</bulkhead>\n`,
  });
}

async function startIn(guest: Guest, first: number, count: number): Promise<void> {
  await guest.succeed(
    `for uid in $(seq ${first} ${first + count - 1}); do
      setpriv --reuid $uid --regid $uid --clear-groups sleep 36000 >/dev/null 2>&1 </dev/null &
      busctl --quiet call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager \
        StartTransientUnit 'ssa(sv)a(sa(sv))' bench-$uid.scope fail 2 Slice s user-$uid.slice PIDs au 1 $! 0 || exit 1
    done`,
    long,
  );
}

/** Measures a command, and prints on stderr which one. */
async function milliseconds(guest: Guest, command: string): Promise<number> {
  const timed = `start=$(date +%s%N); ${command} >/dev/null || exit 1; echo $(( ($(date +%s%N) - start) / 1000 ))`;
  return Number(await step(logToStderr, command, () => guest.succeed(timed, long))) / 1000;
}

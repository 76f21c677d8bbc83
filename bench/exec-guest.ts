/**
 * The benchmark of exec.ts inside the virtual machine, on cgroup v2, compared with `systemd-run
 * --scope`. The processor is emulated, so only the ratios mean something there.
 *
 * It measures a second time with the mount option `favordynmods`, where a process that moves itself
 * does not wait for a kernel grace period.
 */
import { execFileSync } from 'node:child_process';
import { logToStderr } from '../testing/progress.ts';
import { ensurePrerequisites } from '../testing/prerequisites.ts';
import { startGuest, type Guest } from '../testing/vm/guest.ts';
import { prepareImage } from '../testing/vm/image.ts';
import type { Bench } from './bench.ts';
import { besideFirst, type Section, type Way } from './samples.ts';

const gapMs = 60;
const uid = 64_001;
const user = 'bench';
const policy = `<bulkhead version="1"><host driver="cgroup2"/><tenant user="${user}"><processes limit="50"/></tenant></bulkhead>`;
const bulkhead = '/opt/bulkhead/bulkhead';
const harness = '/tmp/harness';

const drop = `setpriv --reuid ${uid} --regid ${uid} --clear-groups --no-new-privs true`;
const root = `$(sed -n 's/^root //p' /run/bulkhead/launch)`;

const ways: readonly (readonly [label: string, command: string])[] = [
  ['plain', 'true'],
  ['setpriv', drop],
  ['sh, cgroup.procs, setpriv', `sh -c "echo 0 >${root}/u${uid}/cgroup.procs; exec ${drop}"`],
  ['C: moves itself', `/tmp/into-cgroup move ${root}/u${uid} true`],
  ['C: clone3() into it', `/tmp/into-cgroup clone ${root}/u${uid} true`],
  ['bulkhead-exec', `/opt/bulkhead/dist/entry/${process.arch}/bulkhead-exec ${user} -- true`],
  ['bulkhead exec', `${bulkhead} exec ${user} -- true`],
  ['systemd-run --scope', `systemd-run --quiet --scope --uid=nobody true`],
];

/** The ways that wait for a move, and what they are compared with. */
const waysThatMove = [
  'plain',
  'setpriv',
  'C: moves itself',
  'bulkhead-exec',
  'systemd-run --scope',
];

export async function benchExecGuest({ directory, quick, signal }: Bench): Promise<Section> {
  const title = 'The same in the virtual machine: emulated processor, cgroup v2, systemd';
  const section = { name: 'exec-guest', title, beside: 'plain' };
  const ready = await ensurePrerequisites('vm', logToStderr);
  if (!ready.ok) return { ...section, rows: [], notes: [`skipped: ${ready.reason}`] };
  const image = await prepareImage(logToStderr);
  if (!image.ok) return { ...section, rows: [], notes: [`skipped: ${image.error.reason}`] };
  await using guest = await startGuest(image.value);
  await prepare(guest, directory);
  const rounds = quick ? 10 : 40;
  const timed = ways.map(([label, command]) => [label, afterGap(guest, command)] as const);
  const rows = [...(await besideFirst(timed, gapMs, rounds, signal))];
  await guest.succeed('mount -o remount,favordynmods /sys/fs/cgroup');
  const again = timed
    .filter(([label]) => waysThatMove.includes(label))
    .map(([label, way]) => [`favordynmods: ${label}`, way] as const);
  rows.push(...(await besideFirst(again, gapMs, rounds, signal)));
  return { ...section, rows, notes: [] };
}

/**
 * Measures a command after a gap. The first of two samples follows the connection to the guest
 * without a gap.
 */
const afterGap =
  (guest: Guest, command: string): Way =>
  async () =>
    Number((await guest.succeed(`${harness} 2 ${gapMs} ${command}`)).trim().split('\n').at(-1));

async function prepare(guest: Guest, directory: string): Promise<void> {
  for (const name of ['harness', 'into-cgroup']) {
    const source = new URL(`${name}.c`, import.meta.url).pathname;
    execFileSync('gcc', ['-O2', '-static', '-o', `${directory}/${name}`, source]);
    await guest.copyIn(`${directory}/${name}`, `/tmp/${name}`);
  }
  await guest.copyProject();
  await guest.succeed('mkdir -p /etc/bulkhead && cat > /etc/bulkhead/policy.xml', {
    input: policy,
  });
  await guest.succeed(`useradd --uid ${uid} ${user} && ${bulkhead} apply`);
}

/**
 * The courier of a host, as it is installed, on a real server and beside an agent's API: the memory that is its own alone,
 * beside an idle Node.js, and its CPU time while nothing happens but statuses.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { processCpuMicroseconds } from '../src/sys/syscalls.ts';
import { CourierStage } from '../test/fleet/nats/courier-stage.ts';
import { skipWithoutNats, startServers } from '../test/fleet/nats/servers.ts';
import { eventually } from '../testing/patience.ts';
import type { Bench } from './bench.ts';
import { spreadOf, type Section } from './samples.ts';

const project = fileURLToPath(new URL('..', import.meta.url));
const instance = 'bench-courier';

export async function benchCourier({ directory, quick, signal }: Bench): Promise<Section> {
  if (skipWithoutNats !== false) throw new Error(skipWithoutNats);
  const program = install(join(directory, 'courier'));
  await using servers = await startServers(1);
  await using stage = new CourierStage(join(directory, 'courier'), instance, servers);
  await stage.start();
  await stage.courier.kill();
  stage.makeEvents(1);
  const seconds = quick ? 30 : 300;
  const args = ['--instance', instance, 'fleet', 'courier', '--credential', stage.credential];
  const [ours, floor] = [
    start(program, ...args),
    start(process.execPath, '-e', 'setInterval(() => {}, 1e6)'),
  ];
  try {
    await eventually('the courier has told something', () => stage.known()?.mark?.stored === 1);
    const before = cpuOf(ours);
    await sleep(seconds * 1000, undefined, { signal });
    const used = (cpuOf(ours) - before) / 1e6 / seconds;
    return {
      name: 'courier',
      title: "A host's courier beside its agent",
      beside: 'an idle Node.js',
      unit: 'KiB',
      rows: [
        {
          label: 'memory that is its own alone',
          ours: spreadOf([dirtyKiB(ours)]),
          floor: spreadOf([dirtyKiB(floor)]),
          note: '20 MB are the goal',
        },
      ],
      notes: [
        `CPU time over ${seconds} s, with a status each minute: ${(used * 100).toFixed(3)} % of a core; 0.1 % is the goal`,
      ],
    };
  } finally {
    await Promise.all([ours, floor].map(end));
  }
}

/** Installs the program as its package does: built, and started by its own entry. */
function install(place: string): string {
  mkdirSync(place, { recursive: true });
  execFileSync(process.execPath, [join(project, 'scripts/build.ts'), join(place, 'dist')], {
    stdio: 'ignore',
  });
  for (const name of ['bulkhead', 'package.json'])
    copyFileSync(join(project, name), join(place, name));
  symlinkSync(join(project, 'node_modules'), join(place, 'node_modules'));
  return join(place, 'bulkhead');
}

const start = (program: string, ...args: readonly string[]): ChildProcess =>
  spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

const cpuOf = ({ pid = 0 }: ChildProcess) => processCpuMicroseconds(pid) ?? Number.NaN;

/** Source: proc_pid_smaps(5). */
const dirtyKiB = ({ pid }: ChildProcess) =>
  Number(
    /^Private_Dirty: *(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1],
  );

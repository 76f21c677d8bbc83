// Start-to-exit latency of `true`, started plainly and in the ways to limit a tenant, with an idle
// gap before each run, as on a server. Needs root, cgroups and gcc; makes a scratch instance for
// "nobody".

import { execFile, execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Bench } from './bench.ts';
import { besideFirst, type Section, type Way } from './samples.ts';
import { compileExec } from '../scripts/entry.ts';

const gapMs = 60;
const uid = execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }).trim();
const launcher = compileExec();
const entry = new URL('../bulkhead', import.meta.url).pathname;
const cgroup2Magic = 0x63677270;

/** Measures the programs that are installed. */
export async function benchExec({ quick, signal }: Bench): Promise<Section> {
  const instance = `bulkhead-exectest-bench-${process.pid}`;
  const roots = rootsOf(instance);
  const build = mkdtempSync(join(tmpdir(), 'bulkhead-bench-'));
  try {
    for (const root of roots) mkdirSync(`${root}/u${uid}`, { recursive: true });
    mkdirSync(`/run/${instance}`);
    writeFileSync(`/run/${instance}/launch`, launchText(roots));
    mkdirSync(`/run/${instance}/entries/${uid}`, { recursive: true });
    writeFileSync(`/run/${instance}/entries/${uid}/limit`, 'entries 1\nlimit 20\nend\n');
    const harness = join(build, 'harness');
    const source = new URL('harness.c', import.meta.url).pathname;
    execFileSync('gcc', ['-O2', '-o', harness, source]);
    const timed = ways(instance, roots).map(
      ([label, command]) => [label, afterGap(harness, gapMs, command)] as const,
    );
    return {
      name: 'exec',
      title: 'exec TENANT -- true, start to exit',
      beside: 'plain',
      rows: await besideFirst(timed, gapMs, quick ? 10 : 40, signal),
      notes: [],
    };
  } finally {
    rmSync(build, { recursive: true });
    rmSync(`/run/${instance}`, { recursive: true, force: true });
    for (const dir of roots.flatMap((root) => [`${root}/u${uid}`, root])) {
      if (existsSync(dir)) rmdirSync(dir);
    }
  }
}

const isV2 = () => statfsSync('/sys/fs/cgroup').type === cgroup2Magic;

export function rootsOf(instance: string): readonly string[] {
  if (isV2()) return [`/sys/fs/cgroup/${instance}`];
  return ['cpu', 'cpuacct', 'memory', 'blkio', 'pids', 'freezer']
    .map((controller) => `/sys/fs/cgroup/${controller}`)
    .filter((hierarchy) => existsSync(`${hierarchy}/tasks`))
    .map((hierarchy) => `${hierarchy}/${instance}`);
}

export function launchText(roots: readonly string[]): string {
  const lines = [
    'launch 1',
    `join ${isV2() ? 'cgroup.procs' : 'tasks'}`,
    ...roots.map((root) => `root ${root}`),
    'end',
  ];
  return lines.join('\n') + '\n';
}

function ways(instance: string, roots: readonly string[]): [string, string[]][] {
  const drop = ['setpriv', '--reuid', uid, '--regid', uid, '--clear-groups', '--no-new-privs'];
  const files = roots.slice(0, 3).map((root) => `${root}/u${uid}/cgroup.procs`);
  const naive = `for f in ${files.join(' ')}; do echo 0 >$f; done; exec ${drop.join(' ')} true`;
  const list: [string, string[]][] = [
    ['plain', ['true']],
    ['setpriv', [...drop, 'true']],
    [`sh, cgroup.procs x${files.length}, setpriv`, ['sh', '-c', naive]],
    ['bulkhead-exec', [launcher, '--instance', instance, 'nobody', '--', 'true']],
    [
      'bulkhead-exec --entry',
      [launcher, '--instance', instance, '--entry', 'nobody', '--', 'true'],
    ],
    ['bulkhead exec', [entry, '--instance', instance, 'exec', 'nobody', '--', 'true']],
  ];
  if (existsSync('/usr/bin/bwrap')) list.push(['bubblewrap', jail()]);
  return list;
}

function jail(): string[] {
  const links = ['bin', 'sbin', 'lib', 'lib64'].flatMap((dir) => [
    '--symlink',
    `usr/${dir}`,
    `/${dir}`,
  ]);
  const mounts = ['--ro-bind', '/usr', '/usr', ...links, '--proc', '/proc', '--dev', '/dev'];
  return ['bwrap', ...mounts, '--tmpfs', '/tmp', '--unshare-pid', 'true'];
}

/**
 * Measures a command after an idle gap. The first of two runs is without the gap, as it follows the
 * preparation. `around` runs the harness, and so is not measured.
 */
export const afterGap =
  (harness: string, gap: number, command: readonly string[], around: readonly string[] = []): Way =>
  async () => {
    const [program = '', ...args] = [...around, harness, '2', `${gap}`, ...command];
    const { stdout } = await promisify(execFile)(program, args);
    return Number(stdout.trim().split('\n').at(-1));
  };

/**
 * The common part of the placement benchmarks: an instance with one tenant, and the programs that
 * move its processes.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { logToStderr } from '../testing/progress.ts';
import { formatProblem } from '../packages/base/problem.ts';
import { applyPolicy, releaseAll } from '../src/apply/apply.ts';
import { PolicyReader } from '../src/apply/load-policy.ts';
import {
  ConnectorPlacement,
  placementTargets,
  type PlacementTargets,
} from '../src/agent/placer/placement.ts';
import { treeHost } from '../testing/tree-host.ts';
import { pathsOf } from '../src/host/paths.ts';

const instance = 'bulkhead-place-bench';
/**
 * The tenant's uid: no account has it, and no tenant of another benchmark, since two placers would
 * fight over it.
 */
export const uid = 300_999;
const account = 'bulkhead-place';
const policy = `<bulkhead version="1"><tenant uid="${uid}"><processes limit="unlimited"/></tenant></bulkhead>`;

export async function placing<T>(
  stage: Stage,
  work: (placement: ConnectorPlacement) => Promise<T>,
): Promise<T> {
  await using placement = new ConnectorPlacement({
    log: logToStderr,
    haltFile: `${stage.host.paths.runtime}/stopped.json`,
  });
  placement.start();
  placement.setTargets(stage.targets);
  const { state, problem } = await placement.rescan();
  if (state !== 'on') throw new Error(problem);
  return await work(placement);
}

/**
 * Runs `work` with cgrulesengd; returns the reason if it cannot run. It sees a copy of /etc with
 * the rule in it, and another /run.
 */
export async function withEngine<T>(
  directory: string,
  stage: Stage,
  work: (pid: number) => Promise<T>,
): Promise<T | string> {
  if (stage.targets.tree.version === 2) return 'cgrulesengd is measured on cgroup v1 alone';
  const etc = `${directory}/etc`;
  mkdirSync(`${etc}/cgconfig.d`, { recursive: true });
  for (const name of ['group', 'nsswitch.conf', 'ld.so.cache']) {
    copyFileSync(`/etc/${name}`, `${etc}/${name}`);
  }
  const accounts = readFileSync('/etc/passwd', 'utf8');
  writeFileSync(`${etc}/passwd`, `${accounts}${account}:x:${uid}:${uid}::/:/bin/sh\n`);
  writeFileSync(`${etc}/cgconfig.conf`, '');
  const controllers = stage.targets.tree.hierarchies.map((each) =>
    each.name.replaceAll('io', 'blkio'),
  );
  writeFileSync(
    `${etc}/cgrules.conf`,
    `${account} ${controllers.join(',')} ${stage.path.slice(1)}\n`,
  );
  const hidden = `mount --bind "$0" /etc && mount -t tmpfs none /run && exec cgrulesengd -n -q`;
  const engine = spawn('unshare', ['--mount', 'sh', '-c', hidden, etc], { stdio: 'ignore' });
  await sleep(1_000);
  if (engine.exitCode !== null) return 'cgrulesengd does not start here';
  try {
    return await work(engine.pid ?? 0);
  } finally {
    await end(engine);
  }
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** An instance with one tenant. */
export class Stage {
  readonly host = treeHost(pathsOf(instance));
  readonly targets: PlacementTargets;
  /** The tenant's cgroup as /proc/PID/cgroup shows it. */
  readonly path: string;

  constructor() {
    const { policy: resolved, diagnostics } = new PolicyReader().resolve(
      'bench',
      policy,
      this.host.paths,
    );
    if (resolved === undefined) throw new Error(diagnostics[0]?.message);
    const applied = applyPolicy(resolved, this.host, { kill: false, force: false });
    if (!applied.ok) throw new Error(formatProblem(applied.error));
    this.targets = placementTargets(resolved, this.host.paths, applied.value.driver.tree);
    this.path = `${this.targets.tree.hierarchies[0]?.path}/u${uid}`;
  }

  remove(): void {
    const released = releaseAll(this.host, { kill: true });
    const { runtime, state } = this.host.paths;
    for (const path of [runtime, state]) rmSync(path, { recursive: true, force: true });
    if (!released.ok) throw new Error(released.error.map(formatProblem).join('\n'));
  }
}

/**
 * Returns the CPU time of all threads, from the scheduler's own counters: clock ticks would be too
 * coarse.
 */
export function cpuMicroseconds(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) => {
    const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
    return Number(text.split(' ')[0]);
  });
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1_000;
}

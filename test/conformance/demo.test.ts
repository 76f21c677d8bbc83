/** `npm run demo` as its users start it, on this machine's own kernel. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { lockFile } from '../../src/sys/files/flock.ts';
import { readMounts } from '../../src/sys/files/mounts.ts';
import { readText } from '../../packages/base/io/read.ts';
import { full } from '../../src/limits/limit.ts';
import { noCounters } from '../../src/limits/limits.ts';
import { findBlockers } from '../../testing/demo/blocker.ts';
import { lockPath, paths } from '../../testing/demo/place.ts';
import { commonUse, SampleSeries } from '../../testing/demo/sample.ts';
import { judgeLimit } from '../../testing/demo/verdict.ts';
import { scratchDirectories } from '../../testing/demo/scratch.ts';
import { longPatienceMilliseconds } from '../../testing/patience.ts';
import { scriptBeside } from '../../testing/script-beside.ts';
import { wrap } from '../../src/cli/shared/terminal.ts';

const program = scriptBeside(import.meta, '../../testing/demo/main');
const obstacles = findBlockers();
const skip = obstacles.length > 0 ? obstacles.join('; ') : false;

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function startDemo(...args: readonly string[]) {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const ended = new Promise<Ended>((done) => {
    child.on('close', (status) => done({ status, ...output }));
  });
  /** Waits until it has printed the text. */
  const says = async (text: RegExp) => {
    while (!text.test(output.stdout)) {
      assert.equal(child.exitCode, null, `It ended early:\n${output.stdout}${output.stderr}`);
      await sleep(20);
    }
  };
  return { child, ended, says };
}

/** Paths of everything that the demo could have left. */
function traces(): readonly string[] {
  const cgroups = readMounts(paths)
    .filter(({ type }) => type === 'cgroup' || type === 'cgroup2')
    .flatMap(({ mountPoint }) =>
      readdirSync(mountPoint)
        .filter((name) => name.startsWith(paths.instance))
        .map((name) => `${mountPoint}/${name}`),
    );
  const unit = `/etc/systemd/system/${paths.instance}-tenants.service`;
  const files = [paths.runtime, paths.state, lockPath, unit].filter((path) => existsSync(path));
  return [...cgroups, ...files, ...scratchDirectories(), ...processes()];
}

/** Returns running processes of the demo's uids. Ended ones wait for an init that may be slow. */
function processes(): readonly string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    const status = readText(`/proc/${pid}/status`) ?? '';
    const isRunning = /^State:\s+[^ZX]/m.test(status) && /^Uid:\s+610\d\d\s/m.test(status);
    return isRunning ? [`process ${pid}`] : [];
  });
}

describe('demo', { skip, timeout: longPatienceMilliseconds }, () => {
  test('demo refuses to run twice at a time', () => {
    const lock = lockFile(lockPath, { waitMs: 0 });
    assert.ok(lock.ok);
    using _lock = lock.value;
    const second = spawnSync(process.execPath, [program], { encoding: 'utf8' });
    assert.equal(second.status, 1);
    assert.match(second.stderr, /only one may run at a time: .*process \d+ holds it/);
  });

  test('demo prints a verdict for each limit, and leaves nothing', async () => {
    const { status, stdout, stderr } = await startDemo().ended;
    assert.equal(stderr, '');
    assert.doesNotMatch(stdout, /^not enforced/m);
    // A machine that is busy with something else gives the loads too little to press with, and that is said.
    assert.equal(status, /^not proved/m.test(stdout) ? 1 : 0, stdout);
    for (const title of ['cpu', 'memory', 'processes', 'io read', 'io writes', 'reseller']) {
      assert.match(stdout, new RegExp(`^(enforced|not proved|not supported here) +${title} `, 'm'));
    }
    assert.match(stdout, /^enforced +\S/m);
    assert.match(stdout, /^Everything it made is removed/m);
    // oxlint-disable-next-line no-control-regex -- there must be none of them
    assert.doesNotMatch(stdout, /[\u001b\r]/);
    assert.deepEqual(traces(), []);
  });

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    test(`demo removes everything on ${signal}`, async () => {
      const { child, ended, says } = startDemo();
      await says(/reaches its limit/);
      child.kill(signal);
      const { status, stderr } = await ended;
      assert.equal(status, { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal]);
      assert.match(stderr, new RegExp(`Interrupted by ${signal}`));
      assert.deepEqual(traces(), []);
    });
  }

  test('demo removes what a killed run left', async () => {
    const killed = startDemo();
    await killed.says(/reaches its limit/);
    killed.child.kill('SIGKILL');
    await killed.ended;
    assert.notDeepEqual(traces(), []);

    const next = startDemo();
    await next.says(/former run was killed/);
    next.child.kill('SIGINT');
    await next.ended;
    assert.deepEqual(traces(), []);
  });
});

test('demo asks for root or --vm when an ordinary user runs it', (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can become somebody else');
  const argv = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];
  const { status, stderr } = spawnSync('setpriv', [...argv, process.execPath, program], {
    encoding: 'utf8',
    cwd: '/',
  });
  if (/Cannot find module|EACCES|Permission denied/i.test(stderr)) {
    return t.skip('nobody but root can read this clone');
  }
  assert.equal(status, 1);
  assert.match(stderr, /must run as root/);
  assert.match(stderr, /npm run demo -- --vm/);
});

describe('judgeLimit()', () => {
  const cpu = { title: 'cpu', key: 'cpu.limit', uid: 61001, gauge: 'cpu' } as const;
  const memory = { title: 'memory', key: 'memory.limit', uid: 61002, gauge: 'memory' } as const;
  const reads = { title: 'io read', key: 'io.read', uid: 61004, gauge: 'disk' } as const;
  const weight = { title: '', key: 'cpu.weight', uid: 61011, gauge: 'share' } as const;
  const processes = { title: '', key: 'processes.limit', uid: 61003, gauge: 'processes' } as const;
  const shared = { limit: 0.75, hits: 30, sharedSeconds: 2, sharedCores: 0.3 };
  const cases = [
    ['enforced', cpu, { limit: 0.2, measured: 0.205, hits: 80 }],
    ['not enforced', cpu, { limit: 0.2, measured: 0.25, hits: 80 }],
    ['not proved', cpu, { limit: 0.2, measured: 0.1, hits: 0 }],
    ['enforced', memory, { limit: 2 ** 26, measured: 2 ** 26, hits: 1 }],
    ['not enforced', memory, { limit: 2 ** 26, measured: 2 ** 27, hits: 1 }],
    ['not proved', memory, { limit: 2 ** 26, measured: 2 ** 25, hits: 0 }],
    ['enforced', processes, { limit: 40, measured: 40, hits: 1 }],
    ['not enforced', processes, { limit: 40, measured: 41, hits: 1 }],
    ['enforced', reads, { limit: 8e6, measured: 7.9e6, hits: 9, alone: 5e8 }],
    ['not enforced', reads, { limit: 8e6, measured: 9e6, hits: 9, alone: 5e8 }],
    ['not proved', reads, { limit: 8e6, measured: 1e6, hits: 0, alone: 5e8 }],
    ['enforced', weight, { ...shared, measured: 0.7 }],
    ['not enforced', weight, { ...shared, measured: 0.5 }],
    ['not judged', weight, { ...shared, measured: 0.5, hits: 3 }],
    ['not judged', weight, { ...shared, measured: 0.5, sharedSeconds: 0.2 }],
    ['not judged', weight, { ...shared, measured: 0.58, sharedCores: 0.09 }],
    // A disk that is not faster than the limit proves nothing.
    ['not proved', reads, { limit: 8e6, measured: 7.9e6, hits: 9, alone: 8e6 }],
  ] as const;
  for (const [outcome, meter, reading] of cases) {
    test(`returns "${outcome}" for ${meter.key} at ${JSON.stringify(reading)}`, () => {
      const whole = { alone: undefined, use: 0, ...reading };
      assert.equal(judgeLimit(meter, full, whole, undefined).outcome, outcome);
    });
  }
});

test('commonUse() leaves out the time before both have begun', () => {
  const series = (...values: readonly number[]) => {
    const made = new SampleSeries();
    for (const [at, milliseconds] of values.entries())
      made.add({ at, counters: { ...noCounters, cpuMicroseconds: milliseconds * 1000 } });
    return made;
  };
  // The one is alone for three samples; from then on it gets three of four parts.
  const own = series(0, 100, 200, 300, 375, 450);
  const shared = series(0, 100, 200, 325, 425, 525);
  assert.deepEqual(commonUse(own, shared), { own: 150_000, shared: 200_000 });
  assert.deepEqual(commonUse(own, own), { own: 0, shared: 0 });
  assert.deepEqual(commonUse(series(), series()), { own: 0, shared: 0 });
});

test('wrap() keeps within the columns, and keeps leading blanks', () => {
  assert.equal(wrap('  one two three', 9, '    '), '  one two\n    three');
  assert.equal(wrap('a  b', 80), 'a  b');
});

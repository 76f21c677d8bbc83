/** Kept descriptors on the real kernel: what they read, and what becomes of them. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { releaseAll } from '../../src/apply/apply.ts';
import {
  findHierarchies1,
  findUnified,
  hierarchy2,
  type Hierarchy,
} from '../../src/host/cgroups/hierarchies.ts';
import { runsSystemd } from '../../src/host/cgroups/systemd-delegation.ts';
import { UsageReader } from '../../src/host/cgroups/usage-reader.ts';
import type { Counters } from '../../src/limits/limit.ts';
import { limits } from '../../src/limits/limits.ts';
import { hostHere } from '../conformance/host-here.ts';

const instance = 'bulkhead-usage-test';
const here = hostHere(instance);
const done = { ok: true, value: undefined };
const skip = skipReason();

function skipReason(): string | false {
  if ('skip' in here) return here.skip;
  // There the root cgroup is made by systemd's unit, and the conformance suite covers it.
  return here.version === 2 && runsSystemd() ? 'systemd owns the tree here' : false;
}

function hierarchiesHere(): readonly Hierarchy[] {
  if ('skip' in here) throw new Error(here.skip);
  if (here.version === 1) return findHierarchies1(here.host.paths);
  const unified = findUnified(here.host.paths);
  if (unified === undefined) throw new Error('There is no cgroup v2 mount');
  return [hierarchy2(unified, instance)];
}

const openFiles = () => readdirSync('/proc/self/fd').length;

describe('UsageReader', { skip }, () => {
  let hierarchies: readonly Hierarchy[] = [];
  let reader = new UsageReader([], 1);

  const make = (cgroup: string) => {
    for (const { files } of hierarchies) assert.deepEqual(files.makeCgroup(cgroup), done);
  };
  const remove = (cgroup: string) => {
    for (const { files } of hierarchies) assert.deepEqual(files.removeCgroup(cgroup), done);
  };

  before(() => {
    if ('skip' in here) return;
    hierarchies = hierarchiesHere();
    releaseAll(here.host, { kill: true });
    reader = new UsageReader(hierarchies, here.version);
    make('');
  });
  after(() => {
    reader[Symbol.dispose]();
    if ('skip' in here) return;
    releaseAll(here.host, { kill: true });
    rmSync(here.host.paths.runtime, { recursive: true, force: true });
  });

  test('read() returns what a cgroup uses now, each time it is called', async () => {
    make('u1');
    assert.equal(reader.track('u1'), true);
    assert.equal(reader.read('u1')?.threads, 0);
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    const pids = hierarchies.find((each) => each.controllers.has('pids'));
    assert.deepEqual(pids?.files.write('u1', 'cgroup.procs', String(child.pid)), done);
    assert.equal(reader.read('u1')?.threads, 1);
    assert.equal(reader.read('u1')?.processes, 1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal(reader.read('u1')?.threads, 0);
  });

  /** Runs a script as a process of the cgroup, which has ended when this returns. */
  const runInside = (cgroup: string, script: string) => {
    const joins = hierarchies
      .map(({ rootPath }) => `echo $$ > '${rootPath}/${cgroup}/cgroup.procs'`)
      .join(' && ');
    const { status, stderr } = spawnSync('sh', ['-c', `${joins} && ${script}`], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
  };
  const mebibyte = 2 ** 20;
  const allocate = (mebibytes: number) =>
    `'${process.execPath}' -e 'Buffer.alloc(${mebibytes} * 2 ** 20, 1)'`;

  test('read() returns peaks since the previous read()', () => {
    make('u7');
    reader.track('u7');
    reader.read('u7');
    runInside('u7', allocate(300));
    const large = reader.read('u7');
    assert.ok((large?.memoryPeakBytes ?? 0) > 300 * mebibyte, JSON.stringify(large));
    assert.ok((large?.memoryBytes ?? 0) < 250 * mebibyte, JSON.stringify(large));
    assert.equal(large?.threads, 0);
    assert.ok((large?.threadsPeak ?? 0) >= 2, JSON.stringify(large));
    runInside('u7', allocate(1));
    const small = reader.read('u7');
    assert.ok((small?.memoryPeakBytes ?? 0) > 0, JSON.stringify(small));
    assert.ok((small?.memoryPeakBytes ?? Infinity) < 300 * mebibyte, JSON.stringify(small));
    // The mark of processes cannot be begun anew, and has not grown.
    assert.ok((small?.threadsPeak ?? 0) <= (large?.threadsPeak ?? 0));
  });

  test('read() leaves peaks before track() out', () => {
    make('u8');
    runInside('u8', allocate(300));
    reader.track('u8');
    const first = reader.read('u8');
    assert.ok((first?.memoryPeakBytes ?? 0) < 250 * mebibyte, JSON.stringify(first));
    assert.equal(first?.threadsPeak, 0);
  });

  test('read() includes peaks before track() when the cgroup is new', () => {
    make('u9');
    runInside('u9', allocate(300));
    reader.track('u9', true);
    const first = reader.read('u9');
    assert.ok((first?.memoryPeakBytes ?? 0) > 300 * mebibyte, JSON.stringify(first));
    assert.ok((first?.threadsPeak ?? 0) >= 2, JSON.stringify(first));
    runInside('u9', allocate(1));
    const second = reader.read('u9');
    assert.ok((second?.memoryPeakBytes ?? Infinity) < 300 * mebibyte, JSON.stringify(second));
  });

  test('parse() sets no counter from two files', () => {
    if ('skip' in here) return;
    make('u6');
    const side = here.version === 2 ? 'cgroup2' : 'cgroup1';
    const names = limits
      .flatMap((limit) => limit[side].counters)
      .flatMap(({ controller, file, parse }) => {
        const { files } = hierarchies.find((each) => each.controllers.has(controller)) ?? {};
        const into: Partial<Counters> = {};
        parse(files?.read('u6', file) ?? '', into);
        return Object.keys(into);
      });
    assert.ok(names.length > 0);
    assert.deepEqual(names, [...new Set(names)]);
  });

  test('read() closes the files of a removed cgroup, until track() is called again', () => {
    const before = openFiles();
    make('u2');
    reader.track('u2');
    assert.equal(openFiles(), before + reader.descriptorsPerCgroup);
    remove('u2');
    assert.equal(reader.read('u2'), undefined);
    assert.equal(openFiles(), before);
    assert.ok(!reader.cgroups.includes('u2'));
    make('u2');
    assert.equal(reader.read('u2'), undefined);
    assert.equal(reader.track('u2'), true);
    assert.equal(reader.read('u2')?.processes, 0);
  });

  test('read() returns undefined when a cgroup was recreated since track()', () => {
    make('u3');
    reader.track('u3');
    remove('u3');
    make('u3');
    assert.equal(reader.read('u3'), undefined);
    assert.equal(reader.track('u3'), true);
    assert.notEqual(reader.read('u3'), undefined);
  });

  test('track() twice opens one set of descriptors, and none for a missing cgroup', () => {
    make('u4');
    const before = openFiles();
    reader.track('u4');
    reader.track('u4');
    assert.equal(openFiles(), before + reader.descriptorsPerCgroup);
    assert.equal(reader.track('u5'), false);
    assert.equal(openFiles(), before + reader.descriptorsPerCgroup);
  });

  test('cgroupsMax() leaves descriptors for the rest of the process', () => {
    const max = reader.cgroupsMax(20_000);
    assert.ok(max > 0 && max * reader.descriptorsPerCgroup < 20_000);
    assert.equal(reader.cgroupsMax(100), 0);
  });
});

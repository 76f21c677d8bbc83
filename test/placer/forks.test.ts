/** The placer moves processes of tenants into their cgroups, however they fork. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConnectorPlacement } from '../../src/agent/placer/placement.ts';
import { findUnified } from '../../src/host/cgroups/hierarchies.ts';
import { buildStorm, read, Stage, uids, cgroupOf } from './stage.ts';
import { placerSuite } from './suite.ts';

const instance = 'bulkhead-place-forks';

placerSuite(instance, suite);

function suite(version: 1 | 2): void {
  const { first, second, third, bomber } = uids;
  let stage: Stage;
  let storm: string;

  before(() => {
    stage = new Stage(version, instance);
    storm = buildStorm(stage.directory);
  });
  afterEach(() => stage.quiet());
  after(() => stage[Symbol.asyncDispose]());

  /** Runs the storm and waits until nobody is outside, with nobody's help but the events'. */
  const stormAt = async (
    what: string,
    of: readonly number[],
    /** How many live on, where that is known. */
    expected: number | undefined,
    ...args: readonly (string | number)[]
  ) => {
    await stage.place();
    const looked = stage.placement.status().scannedAt;
    const [code] = await once(stage.run(storm, ...args.map(String)), 'exit');
    assert.equal(code, 0);
    const living = () => of.flatMap((uid) => stage.processesOf(uid)).length;
    if (expected !== undefined) {
      await stage.until(`${expected} live on`, () => living() === expected);
    }
    const took = await stage.until('nobody is outside', () => stage.outside(...of).length === 0);
    // The successor of a process that has ended is not yet seen where it is.
    let alive = 0;
    await stage.until('somebody lives', () => (alive = living()) > 0);
    const scanned = stage.placement.status().scannedAt !== looked;
    console.log(
      `# ${what}: ${alive} alive, all inside after at most ${took.toFixed(0)} ms${scanned ? ', with a full scan' : ''}`,
    );
    await sleep(200);
    assert.deepEqual(stage.outside(...of), [], 'somebody escaped later');
    assert.deepEqual((await stage.scanned()).outside, []);
  };

  test('the placer catches children that are forked right after setuid', async () => {
    for (let round = 0; round < 5; round++) {
      await stormAt('storm', [first, second, third], 60 * 5 - 20, 'storm', first, 3, 60, 4);
      await stage.quiet();
    }
  });

  test('the placer catches a process that forks and exits, over and over', async () => {
    await stormAt('comet', [first], 1, 'comet', first, 1_000);
  });

  test('the placer moves threads when the first thread has exited', async () => {
    await stage.place();
    const { pid } = stage.run(storm, 'headless', String(second));
    const path = () => readdirSync(`/proc/${pid}/task`).findLast((each) => each !== String(pid));
    await stage.until('the thread that is alive is inside', () => {
      const cgroups = stage.cgroupsOf(pid, `${pid}/task/${path()}`);
      return (
        cgroups?.every((each, index) => each === `${stage.hierarchies[index]?.path}/u${second}`) ??
        false
      );
    });
    assert.match(read(`/proc/${pid}/status`) ?? '', /^State:\tZ/m);
    assert.deepEqual((await stage.scanned()).outside, []);
  });

  test('the placer catches a fork bomb, and the processes limit refuses its forks', async () => {
    await stormAt('bomb', [bomber], undefined, 'bomb', bomber, 1_000);
    const pids =
      stage.hierarchies.find((each) => each.controller === 'pids') ?? stage.hierarchies[0];
    const file = `${pids?.mountPoint}/${pids?.rootCgroup}/${cgroupOf(bomber)}/pids.events`;
    // The bomb may have met the bound of its own first; this one has none.
    const script = 'sleep 0.5; sleep 3600 & sleep 3600';
    const who = [`--reuid=${bomber}`, '--clear-groups', 'sh', '-c', script];
    const one = stage.run('setpriv', ...who);
    await stage.placed(one.pid, bomber);
    await stage.until('a fork is refused', () => /^max [1-9]/m.test(read(file) ?? ''));
  });

  test('the placer catches a storm of forks on cgroup v2', async (context) => {
    const unified = findUnified(stage.host.paths);
    if (unified === undefined) return context.skip('there is no cgroup v2 mount');
    const { mountPoint } = unified;
    const rootCgroup = 'bulkhead-place-v2';
    const path = `${mountPoint}/${rootCgroup}/${cgroupOf(first)}`;
    await stage.rest();
    mkdirSync(path, { recursive: true });
    try {
      await using placement = new ConnectorPlacement({
        log: (line) => stage.lines.push(line),
        haltFile: stage.haltFile,
      });
      placement.start();
      const hierarchies = [
        { name: 'unified', controller: '', mountPoint, rootCgroup, path: `/${rootCgroup}` },
      ];
      const targets = [[first, cgroupOf(first)]] as const;
      const tree = { version: 2, hierarchies } as const;
      placement.setTargets({ tree, targets, subordinate: [], containers: 'leave' });
      await placement.rescan();
      await once(stage.run(storm, 'storm', String(first), '1', '30', '4'), 'exit');
      const inside = `0::/${rootCgroup}/${cgroupOf(first)}\n`;
      await stage.until('nobody is outside', () => {
        const pids = stage.processesOf(first);
        return (
          pids.length === 140 && pids.every((pid) => read(`/proc/${pid}/cgroup`)?.endsWith(inside))
        );
      });
      assert.deepEqual((await placement.rescan()).outside, []);
    } finally {
      await stage.quiet();
      await stage.until('the cgroup is removed', () => removeV2(path));
    }
  });
}

function removeV2(path: string): boolean {
  try {
    rmdirSync(path);
    rmdirSync(dirname(path));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    return false;
  }
}

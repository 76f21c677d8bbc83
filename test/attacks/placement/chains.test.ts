/** Ways out of a tenant's cgroup by chains of processes that fork and exit, while the placer is slow or is killed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { mustApply } from '../../conformance/suite.ts';
import { body, kill, uids } from '../../placer/stage.ts';
import type { PlacerHierarchy } from '../../../src/host/placer/protocol.ts';
import { patienceMilliseconds } from '../../../testing/patience.ts';
import { attackSuite, type AttackStage } from './stage.ts';

const { first, second, third } = uids;

const slowed = body.replace(
  `<tenant uid="${third}"/>`,
  `<tenant uid="${third}"><cpu limit="20%"/></tenant>`,
);

attackSuite('bulkhead-attack-chains', ['chains'], suite);

function suite(stage: AttackStage): void {
  let storms = 0;
  /** Chains that go on until they are told to end, and tell when they find themselves inside. */
  const endlessStorm = (uid: number, chains: number, ...how: readonly string[]) => {
    const [on, told] = ['on', 'told'].map((each) => `${stage.directory}/${each}-${++storms}`);
    assert.ok(on !== undefined && told !== undefined);
    for (const each of [on, told]) writeFileSync(each, '');
    const [{ path }] = stage.hierarchies as [PlacerHierarchy];
    const witness = ['witness', `${path}/u${uid}`, String(stage.hierarchies.length), 'tell', told];
    const args = [String(uid), String(chains), String(patienceMilliseconds), 'while', on];
    const child = stage.run(stage.program('chains'), ...args, ...witness, ...how);
    return {
      child,
      inside: () => statSync(told).size,
      end: async () => {
        rmSync(on);
        await stage.until('the storm is over', () => child.exitCode !== null);
      },
    };
  };

  for (const [what, ...args] of [
    ['16 chains', '16', '3000'],
    ['64 chains', '64', '2000'],
    ['16 chains that have themselves continued', '16', '3000', 'continue'],
    ['16 chains in a flood of changes of uid', '16', '2000', 'switch'],
  ] as const) {
    test(`the placer catches processes that fork and exit: ${what}`, async () => {
      await stage.place();
      const [code] = await once(stage.run(stage.program('chains'), String(first), ...args), 'exit');
      assert.equal(code, 0);
      await stage.until('nobody is outside', () => stage.outside(first).length === 0);
      const { outside } = await stage.scanned();
      assert.deepEqual(outside, []);
      assert.ok(stage.processesOf(first).length > 0, 'nobody lived to be placed');
      await stage.until('nobody is left stopped', () => stage.stopped(first).length === 0);
      console.log(`# ${stage.lines.splice(0).join('\n# ')}`);
    });
  }

  for (const [what, chains, ...how] of [
    ['16 chains that do not end', 16],
    ['16 chains that do not end and have themselves continued', 16, 'continue'],
    ['a chain that does not end', 1],
  ] as const)
    test(`a placer with a fifth of a core catches ${what}, next to others`, async () => {
      mustApply(slowed, stage.host);
      try {
        await stage.place();
        // It is root's, and so stays where it is put.
        stage.join(stage.placement.pid ?? 0, `u${third}`);
        const beside = endlessStorm(second, 16);
        await stage.until('they are inside', () => beside.inside() === 16);
        const storm = endlessStorm(first, chains, ...how);
        await stage.until('all are inside', () => storm.inside() === chains);
        assert.equal(storm.child.exitCode, null, 'it ended before');
        for (const each of [storm, beside]) await each.end();
        // While they fork it may be unknown for as long as the machine is slow.
        assert.deepEqual((await stage.scanned()).outside, []);
        await stage.until('nobody is outside', () => stage.outside(first, second).length === 0);
        await stage.until('nobody is left stopped', () => stage.stopped(first).length === 0);
        assert.ok(stage.processesOf(first).length >= chains, 'nobody lived to be placed');
        console.log(`# ${stage.lines.splice(0).join('\n# ')}`);
      } finally {
        mustApply(body, stage.host);
      }
    });

  test('a placer that is killed over and over leaves nobody stopped', async () => {
    await stage.place();
    const storm = stage.run(stage.program('chains'), String(first), '16', '4000');
    let kills = 0;
    const isOver = () => storm.exitCode !== null;
    while (!isOver()) {
      const { pid } = stage.placement;
      if (pid !== undefined) kill(pid);
      kills++;
      await stage.until('another one is there', () => isOver() || stage.placement.pid !== pid);
    }
    assert.ok(kills > 0);
    await stage.until('nobody is outside', () => stage.outside(first).length === 0);
    await stage.until('nobody is left stopped', () => stage.stopped(first).length === 0);
  });
}

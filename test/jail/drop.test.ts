/** Jails on this kernel that no tenant has any more are dropped, one by one. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { JailStage, keysOf, reasonToSkip } from './stage.ts';

const skip = reasonToSkip();
const [alice, bob, carol, dora] = [620_115, 620_116, 620_117, 620_118] as const;
let stage: JailStage;

before(async () => {
  if (skip !== false) return;
  stage = new JailStage('drop');
  await stage.release();
});
after(async () => {
  if (skip === false) await stage[Symbol.asyncDispose]();
});

const inVault = (script: string) =>
  execFileSync('nsenter', [`--mount=${stage.paths.vault}`, 'sh', '-ec', script]);

test(
  'jail build drops the other jails, and builds, when one cannot be dropped',
  { skip },
  async () => {
    await stage.build(...[alice, bob, carol].map((uid) => stage.tenant(uid)));
    const busy = `${stage.paths.inside}/tenant/${alice}/busy`;
    inVault(`mkdir ${busy}; mount -t tmpfs busy ${busy}`);
    const build = () => stage.build(stage.tenant(dora));
    const first = await build();
    assert.deepEqual(
      first.problems.map(({ action, object }) => [action, object]),
      [['remove the jail of', `uid ${alice}`]],
    );
    assert.deepEqual([first.built, first.dropped], [keysOf(dora), keysOf(bob, carol)]);
    const states = () =>
      [alice, bob, carol, dora].map((uid) => existsSync(`${stage.paths.tenants}/${uid}`));
    assert.deepEqual(states(), [true, false, false, true]);
    // What is left of it is not entered.
    assert.notEqual(stage.run(alice, '/bin/true').status, 0);
    inVault(`umount ${busy}`);
    const second = await build();
    assert.deepEqual([second.problems, second.dropped], [[], keysOf(alice)]);
    assert.deepEqual(states(), [false, false, false, true]);
  },
);

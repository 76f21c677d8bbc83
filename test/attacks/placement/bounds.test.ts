/** The placer on the system calls of older kernels, and with few file descriptors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { main, RawPlacer } from '../../placer/raw-placer.ts';
import { uids } from '../../placer/stage.ts';
import { attackSuite, type AttackStage } from './stage.ts';

attackSuite('bulkhead-attack-bounds', ['old-kernel'], suite);

function suite(stage: AttackStage): void {
  for (const [kernel, call] of [
    ['4.18', 335],
    ['5.14', 449],
  ] as const) {
    test(`the placer needs no newer system calls than Linux ${kernel}`, async () => {
      await stage.rest();
      const node = [process.execPath, main, ''];
      await using placer = new RawPlacer(stage.program('old-kernel'), String(call), ...node);
      placer.say({ kind: 'targets', ...stage.targets() });
      const child = stage.sleepAs(uids.first);
      await stage.until('it is inside', () => {
        placer.mustRun();
        return stage.isIn(child.pid, `u${uids.first}`);
      });
      const status = await placer.status((each) => each.migrated >= 1);
      assert.deepEqual(status.unknown, []);
    });
  }

  test('a placer with few file descriptors places all processes', async () => {
    await stage.rest();
    const script = 'ulimit -n 40; exec "$@"';
    await using placer = new RawPlacer('sh', '-c', script, 'sh', process.execPath, main, '');
    placer.say({ kind: 'targets', ...stage.targets() });
    const many = Object.values(uids).flatMap((uid) =>
      uid === uids.reseller ? [] : Array.from({ length: 10 }, () => [uid, stage.sleepAs(uid).pid]),
    );
    await stage.until('all are inside', () => {
      placer.mustRun();
      return many.every(([uid = 0, pid = 0]) =>
        stage.isIn(pid, uid === uids.fourth ? `r${uids.reseller}/u${uid}` : `u${uid}`),
      );
    });
    const status = await placer.status((each) => each.migrated >= many.length);
    assert.deepEqual(status.unknown, []);
  });
}

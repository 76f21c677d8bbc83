/** The kernel's counters for a real master, without a request, during one, and after it. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../testing/patience.ts';
import { worksOf } from '../../../src/web/io/fpm/idle/master-work.ts';
import { skip } from './stage.ts';
import { WaitingMaster } from './waiting-master.ts';

for (const [manager, more] of [
  ['static', ''],
  ['ondemand', 'pm.process_idle_timeout = 1s\n'],
] as const)
  test(`worksOf() changes only when a request comes, with pm = ${manager}`, { skip }, async () => {
    await using master = new WaitingMaster({ manager, workers: 2, more });
    const work = async () => (await worksOf([master.pid])).get(master.pid);
    const quiet = () => eventually('it is quiet', work);
    const noWorker = () =>
      eventually('its worker has ended', async () => !((await work()) ?? ' ').includes(' '));
    await master.listens();
    await master.ask('');
    if (manager === 'ondemand') await noWorker();
    const before = await quiet();
    assert.equal(await work(), before);
    const asked = master.ask('wait=1');
    await eventually('a worker is busy', async () => (await work()) === undefined);
    master.open();
    await asked;
    assert.notEqual(await quiet(), before);
    if (manager === 'ondemand') {
      await noWorker();
      assert.notEqual(await work(), before);
    }
  });

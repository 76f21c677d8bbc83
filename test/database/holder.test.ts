/** Tenants of a real MariaDB are held to their share by freezing their real clients. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { clientsOfSocket } from '../../src/sys/sockets/unix-diag.ts';
import { Clients } from '../../src/database/io/hold/clients.ts';
import { frozenOf, recordFile } from '../../src/database/io/hold/record.ts';
import { mariadbMissing } from '../../testing/mariadb.ts';
import { eventually } from '../../testing/patience.ts';
import { freezers } from './freezer-stage.ts';
import { ServerStage, type Work } from './server-stage.ts';

const skip =
  mariadbMissing === false ? Object.keys(freezers()).length === 0 && 'no freezer' : mariadbMissing;
const limit = 0.2;
const seconds = 10;
/** A moment for statements that run when the hold begins, and for what was saved. */
const spare = 0.7;

suite('holding clients of a database', { skip }, () => {
  let stage: ServerStage;
  before(async () => {
    stage = new ServerStage(`bulkhead-hold-${process.pid}`);
    await stage.start();
  });
  after(() => stage[Symbol.asyncDispose]());

  const works: readonly Omit<Work, 'seconds'>[] = [
    { work: 'scan', connections: 4 },
    { work: 'page', connections: 4 },
    { work: 'point', connections: 4 },
    { work: 'insert', connections: 4 },
    { work: 'ddl', connections: 4 },
  ];
  for (const load of works)
    test(`"${load.work}" is held to 20 % of a core, and a neighbour works meanwhile`, async (t) => {
      using holder = stage.holder();
      const alice = stage.work('alice', { ...load, seconds: seconds + 3 });
      const bob = stage.work('bob', { work: 'update', connections: 2, seconds, every: 20 });
      await eventually('alice is connected', () => {
        const clients = clientsOfSocket(stage.server.socket);
        return clients.ok && clients.value.size > 3;
      });
      const held = await stage.hold(holder, limit, seconds);
      holder.releaseAll();
      assert.deepEqual(frozenOf(stage.host.paths), []);
      const [worked, neighbour] = [await alice, await bob];
      const rate = (used: number) => (used / held.seconds).toFixed(3);
      t.diagnostic(
        `${load.work}: seen ${rate(held.used)}, server with bob ${rate(held.server)}, paused ${rate(held.paused)} of the time; alice ${worked.n}, bob ${neighbour.n} at ${neighbour.p50.toFixed(1)} / ${neighbour.p99.toFixed(1)} ms; load ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}`,
      );
      assert.ok(held.used <= limit * 1.1 * held.seconds + spare, `${held.used} s used`);
      assert.equal(worked.errors, 0, worked.message);
      assert.equal(neighbour.errors, 0, neighbour.message);
      assert.ok(worked.n > 0 && neighbour.n > 0);
      assert.deepEqual(stage.problems, []);
    });

  test('nobody is frozen where it only watches', async () => {
    using holder = stage.holder('watch');
    const alice = stage.work('alice', { work: 'scan', connections: 4, seconds: 4 });
    const held = await stage.hold(holder, 0.01, 4);
    assert.equal(existsSync(recordFile(stage.host.paths)), false);
    assert.ok(held.paused > 0, 'it says for how long she would have been paused');
    assert.equal(held.last?.rung, 'freeze');
    assert.equal((await alice).errors, 0);
  });

  test('nobody stays frozen when no look comes any more', async () => {
    using holder = stage.holder();
    const alice = stage.work('alice', { work: 'scan', connections: 4, seconds: 8 });
    await eventually('alice is frozen', async () => {
      await stage.hold(holder, 0.01, 0.3);
      return frozenOf(stage.host.paths).length > 0;
    });
    // Slices go on for two seconds after the last sample, and the last of them takes one more.
    await sleep(4_000);
    assert.deepEqual(frozenOf(stage.host.paths), []);
    await alice;
  });

  test('the next rung comes where her clients are elsewhere', async () => {
    using holder = stage.holder();
    const over = new AbortController();
    const busy = (async () => {
      const connection = await stage.server.connect('alice');
      while (!over.signal.aborted) await connection.query('SELECT SUM(CRC32(c)) FROM alice.t');
      connection.close();
    })();
    await eventually('the next rung', async () => {
      const held = await stage.hold(holder, 0.01, 0.5);
      assert.equal(held.paused, 0);
      return held.last?.connectionsFraction === 1 / 4;
    });
    over.abort();
    await busy;
    assert.deepEqual(frozenOf(stage.host.paths), []);
  });
});

suite('the cgroups of clients', { skip }, () => {
  const sites = '<site name="shop.example"/><site name="blog.example"/>';
  let stage: ServerStage;
  before(async () => {
    stage = new ServerStage(`bulkhead-hold-sites-${process.pid}`, sites);
    await stage.start();
  });
  after(() => stage[Symbol.asyncDispose]());

  test('are the sites in which they are, and not the others', async () => {
    const driver = stage.host.probe();
    assert.ok(driver.ok);
    const clients = new Clients(driver.value, stage.host.paths);
    const find = async () => {
      const found = await clients.find(stage.tenant('alice'), [stage.server.socket]);
      assert.ok(found.ok);
      return found.value;
    };
    assert.deepEqual(await find(), { freezable: [], refused: [], likely: [] });
    const load: Work = { work: 'point', connections: 2, seconds: 5, every: 50 };
    const working = stage.work('alice', load, 'shop.example');
    const found = await eventually('a client is found', async () => {
      const { freezable } = await find();
      return freezable.length > 0 ? freezable : undefined;
    });
    const names = found.map(({ path }) => path.split('/').at(-2));
    assert.deepEqual(names, ['s-shop.example']);
    await working;
  });
});

/** `GET /v1/fleet/hosts`: what the centre knows, for root alone. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { suite, test } from 'node:test';
import pino from 'pino';
import type { ConsoleSessionResponse } from '../../../src/agent/api/console-api.ts';
import type { FleetHostsResponse } from '../../../src/agent/api/fleet-hosts-api.ts';
import { fleetPart } from '../../../src/fleet/io/agent-part.ts';
import { centreDirectoryOf } from '../../../src/host/paths.ts';
import { ask, Stage, uids } from '../../console/stage.ts';
import { snapshotOf, toldHost, writeSnapshot } from './snapshots.ts';

suite('GET /v1/fleet/hosts', () => {
  test('only root sees hosts, and only on the centre there are any', async () => {
    await using stage = await Stage.start();
    const { fleet } = fleetPart(stage.paths, pino({ level: 'silent' }));
    stage.parts = { fleet };
    const hosts = async () =>
      (await ask(stage.control, '/v1/fleet/hosts')).json<FleetHostsResponse>();
    assert.deepEqual(await hosts(), { isCentre: false, count: 0, hosts: [], problems: [] });
    const { token } = await stage.login(0);
    const session = async () =>
      (await stage.with(token, '/v1/console/session')).json<ConsoleSessionResponse>();
    assert.equal((await session()).hasFleet, undefined);

    const directory = centreDirectoryOf(stage.paths);
    writeSnapshot(directory, snapshotOf([toldHost('web-001', Date.now())], Date.now()));
    const known = await hosts();
    assert.deepEqual(
      [known.isCentre, known.isCurrent, known.fleet, known.hosts[0]?.host],
      [true, true, 'example', 'web-001'],
    );
    assert.equal((await session()).hasFleet, true);

    for (const uid of [uids.acme, uids.alice, uids.nobody])
      assert.equal((await ask(stage.control, '/v1/fleet/hosts', { uid })).status, 403);
    for (const uid of [uids.acme, uids.alice]) {
      const { token, hasFleet } = await stage.login(uid);
      assert.equal(hasFleet, undefined);
      assert.equal((await stage.with(token, '/v1/fleet/hosts')).status, 403);
    }
    const view = await stage.login(0, '?as=alice');
    assert.equal(view.hasFleet, undefined);
    assert.equal((await stage.with(view.token, '/v1/fleet/hosts')).status, 403);
    rmSync(directory, { recursive: true });
    assert.equal((await hosts()).isCentre, false);
  });
});

/** A courier and a centre on three servers that stand still one after another: they go on with the others, and nothing is lost. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { markSubject } from '../../../src/fleet/core/subjects.ts';
import { storeMessage } from '../../../src/fleet/io/nats/store-message.ts';
import { eventually } from '../../../testing/patience.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { CourierStage, hostName } from './courier-stage.ts';
import { skipWithoutNats, startServers, type TestServer, type TestServers } from './servers.ts';

const needsRoot = process.geteuid?.() === 0 ? false : 'it needs root, for a directory in /run';

suite('a courier and a centre on three servers', { skip: skipWithoutNats || needsRoot }, () => {
  const directory = suiteDirectory('fleet-courier-cluster');
  let servers: TestServers;
  let stage: CourierStage;
  const started = new AsyncDisposableStack();

  before(async () => {
    servers = started.use(await startServers(3));
    stage = started.use(new CourierStage(directory, 'bulkhead-fleet-cluster', servers));
    await stage.start();
  });
  after(() => started.disposeAsync());

  /** Publishes a file of the host, and waits until its agent has got it. */
  async function bring(text: string): Promise<void> {
    writeFileSync(join(stage.hosts, `${hostName}.json`), text);
    await eventually(
      `the agent got ${text}`,
      () => stage.taken.at(-1) === text,
      () => stage.taken.join(),
    );
  }

  async function standStill(server: TestServer): Promise<void> {
    stage.makeEvents(300);
    assert.ok(server.pause());
    try {
      stage.makeEvents(300);
      await bring(`while ${server.place.name} stands still`);
      await stage.allArrived();
    } finally {
      server.resume();
    }
    await servers.healthy();
  }

  test('whichever of them stands still, releases and events arrive by the others', async () => {
    await bring('before');
    for (const server of servers.servers) await standStill(server);
    assert.equal(stage.made, 1800);
  });

  test('with two of them stopped nothing is confirmed, and all of it arrives later', async () => {
    const [one, two, three] = servers.servers;
    assert.ok(one && two && three);
    await stage.allArrived();
    const there = { ...servers.centre, servers: [one.url] };
    const connection = await servers.connect(there, { reconnect: false });
    for (const server of [two, three]) assert.ok(server.pause());
    try {
      stage.makeEvents(300);
      await assert.rejects(storeMessage(connection, markSubject('web-002'), '{}', 2_000));
      assert.equal(stage.known()?.mark?.stored, 1800);
    } finally {
      for (const server of [two, three]) server.resume();
    }
    await servers.healthy();
    await bring('after');
    await stage.allArrived();
  });
});

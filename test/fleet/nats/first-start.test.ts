/** The first start of a centre, on servers that have no streams yet. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { streamNames } from '../../../src/fleet/io/nats/streams.ts';
import { CentreStore } from '../../../src/fleet/io/server/centre-store.ts';
import { Centre } from '../../../src/fleet/io/server/centre.ts';
import { makeLeader } from '../../../src/fleet/io/server/make-leader.ts';
import { eventually } from '../../../testing/patience.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { skipWithoutNats, startServers } from './servers.ts';

suite('a centre on servers without streams', { skip: skipWithoutNats }, () => {
  const directory = suiteDirectory('fleet-first-start');

  test('makes the streams first, and prints no problem', async () => {
    await using servers = await startServers(1);
    const manager = await jetstreamManager(await servers.connect(servers.centre), {
      checkAPI: false,
    });
    for (const name of streamNames) await manager.streams.delete(name);
    const release = join(directory, 'release');
    mkdirSync(join(release, 'hosts'), { recursive: true });
    const warnings: string[] = [];
    const log = { info: () => undefined, warn: (text: string) => warnings.push(text) };
    using store = new CentreStore(directory);
    const leader = makeLeader({ release, directory, store, log });
    assert.ok(leader.ok, JSON.stringify(leader));
    const centre = new Centre({
      credential: servers.centre,
      store,
      hosts: join(release, 'hosts'),
      leader: leader.value,
      log,
    });
    const end = new AbortController();
    const running = centre.run(end.signal);
    try {
      // Both collect only from then on, whatever they met before.
      for (const stream of ['EVENTS', 'STATUS'])
        await eventually(
          `${stream} is read`,
          async () => {
            const found = await manager.streams.info(stream).catch(() => undefined);
            return (found?.state.consumer_count ?? 0) > 0;
          },
          () => warnings.join('\n'),
        );
      assert.deepEqual(warnings, []);
    } finally {
      end.abort();
      await running;
    }
  });
});

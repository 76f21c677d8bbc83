/** Rollout records on their way over a real server: the newest one comes to hosts, and of two at once one is refused. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { trustFileText } from '../../../src/fleet/core/fleet-files.ts';
import { natsCentre } from '../../../src/fleet/io/nats/nats-centre.ts';
import { eventually } from '../../../testing/patience.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { person, plain, signedTrust, trustOf } from '../people.ts';
import { recordFile } from '../rollout/records.ts';
import { CourierStage } from './courier-stage.ts';
import { skipWithoutNats, startServers } from './servers.ts';

suite('rollout records over servers', { skip: skipWithoutNats }, () => {
  const directory = suiteDirectory('fleet-rollout-nats');
  const alice = person(directory, 'alice@example.org');
  const controller = person(directory, 'centre');
  const other = person(directory, 'other');
  const trust = trustOf(1, [alice], { controllers: [plain(controller)] });

  test('two controllers cannot both follow the same record', async () => {
    await using servers = await startServers(1);
    const centre = natsCentre(await servers.connect(servers.centre));
    const second = natsCentre(await servers.connect(servers.centre));
    const none = await centre.record();
    assert.deepEqual(none, { ok: true, value: undefined });
    let expected = 0;
    for (let round = 1; round <= 10; round++) {
      const both = await Promise.all(
        [centre, second].map((each, index) => each.put(`record ${round} of ${index}`, expected)),
      );
      const kinds = both.map((each) => (each.ok ? each.value.kind : each.error.reason));
      assert.deepEqual(kinds.sort(), ['conflict', 'stored']);
      const last = await centre.record();
      assert.ok(last.ok && last.value !== undefined);
      assert.match(last.value.text, new RegExp(`^record ${round} of `));
      expected = last.value.sequence;
    }
    assert.equal(expected, 10);
  });

  test('a record in the published directory comes to the host, and none that is older or by others', async () => {
    await using servers = await startServers(1);
    const connection = await servers.connect(servers.centre);
    const centre = natsCentre(connection);
    await using stage = new CourierStage(directory, `rollout-${process.pid}`, servers);
    const release = dirname(stage.hosts);
    mkdirSync(release, { recursive: true });
    writeFileSync(join(release, 'trust.json'), trustFileText([signedTrust(trust, alice)]));
    const publish = (text: string) => writeFileSync(join(release, 'rollout.json'), text);
    const [go, back] = [
      recordFile({ sequence: 5 }, controller),
      recordFile({ sequence: 6, verdict: 'back' }, controller),
    ];
    publish(go);
    await stage.start();
    const arrives = (text: string) =>
      eventually('the record is handed over', () => stage.taken.includes(text));
    await arrives(go);
    publish(back);
    await arrives(back);
    // Whoever may write there has no key, or only an older record.
    for (const each of [recordFile({ sequence: 7 }, other), go, 'no record']) {
      const from = stage.taken.length;
      publish(each);
      stage.makeEvents(1);
      await stage.allArrived();
      const last = await centre.record();
      assert.equal(last.ok && last.value?.text, back);
      assert.deepEqual(stage.taken.slice(from), []);
    }
    // Servers that have lost it get it again.
    publish(back);
    const manager = await jetstreamManager(connection, { checkAPI: false });
    await manager.streams.purge('ROLLOUT');
    await eventually('the servers have the record again', async () => {
      const last = await centre.record();
      return last.ok && last.value?.text === back;
    });
  });
});

/** One server becomes three: hosts' files stay good, and any of the three may fail. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { suite, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import type { Credential } from '../../../src/fleet/core/credential.ts';
import { docRequest, docSubject } from '../../../src/fleet/core/subjects.ts';
import { connectWith, readCredential } from '../../../src/fleet/io/nats/connect.ts';
import { addServers } from '../../../src/fleet/io/server/add-servers.ts';
import { addHost, hostFileOf } from '../../../src/fleet/io/server/hosts.ts';
import { centreFile } from '../../../src/fleet/io/server/server-files.ts';
import { eventually } from '../../../testing/patience.ts';
import { skipWithoutNats, startServers } from './servers.ts';

function read(file: string): Credential {
  const credential = readCredential(file);
  assert.ok(credential.ok, JSON.stringify(credential));
  return credential.value;
}

/** Asks for the document of a host by its credential; requests can fail for seconds after a server is gone. */
const answered = (credential: Credential) =>
  eventually(`${credential.name} gets its document`, async () => {
    const connection = await connectWith(credential, { reconnect: false }).catch(() => undefined);
    try {
      const answer = await connection?.request(docRequest(credential.name), '', { timeout: 5000 });
      return answer?.string() === `document of ${credential.name}`;
    } catch {
      return false;
    } finally {
      await connection?.close();
    }
  });

suite('a server to which two are added', { skip: skipWithoutNats }, () => {
  test('is one of three, of which each may fail', async () => {
    await using fleet = await startServers(1);
    const [old, gone] = ['web-1', 'web-2'].map((host) => {
      const file = addHost(fleet.directory, host);
      assert.ok(file.ok);
      return read(file.value);
    });
    assert.ok(old !== undefined && gone !== undefined);
    rmSync(hostFileOf(fleet.directory, 'web-2'));
    const alone = await fleet.connect(fleet.centre);
    await alone.request(docSubject('web-3'), 'document of web-3', { timeout: 60_000 });
    assert.deepEqual(await fleet.grow(), ['web-2']);

    const centre = await fleet.connect(read(centreFile(fleet.directory)));
    const manager = await jetstreamManager(centre, { checkAPI: false });
    const { config, state } = await manager.streams.info('DOCS');
    assert.deepEqual([config.num_replicas, state.messages], [3, 0]);
    for (const host of ['web-1', 'web-2'])
      await centre.request(docSubject(host), `document of ${host}`, { timeout: 60_000 });

    const renewed = read(hostFileOf(fleet.directory, 'web-1'));
    assert.deepEqual({ ...renewed, servers: [] }, { ...old, servers: [] });
    assert.equal(renewed.servers.length, 3);
    // Files from before know the first server only.
    for (const each of [old, gone, renewed]) await answered(each);
    const [first] = fleet.servers;
    await first?.kill();
    await answered(renewed);

    const more = addServers(fleet.directory, [{ ...fleet.servers[1]!.place, name: 'nats-4' }]);
    assert.match(more.ok ? '' : more.error.reason, /it has 3 servers/);
  });
});

/** Three servers: what stays when one is killed, and who may be a fourth. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { docRequest, docSubject } from '../../../src/fleet/core/subjects.ts';
import { connectWith } from '../../../src/fleet/io/nats/connect.ts';
import { removeHost } from '../../../src/fleet/io/server/hosts.ts';
import { addHost } from '../../../src/fleet/io/server/hosts.ts';
import { readCredential } from '../../../src/fleet/io/nats/connect.ts';
import { eventually } from '../../../testing/patience.ts';
import { skipWithoutNats, startServers, type TestServers } from './servers.ts';

/** Asks again until a server answers: API calls can fail for seconds after a leader is gone. */
const answered = (fleet: TestServers, host: string) =>
  eventually('the document is answered', async () => {
    try {
      await using connection = await closing(connectWith(fleet.host(host), { reconnect: false }));
      const answer = await connection.value.request(docRequest(host), '', { timeout: 5000 });
      return answer.string() === `document of ${host}`;
    } catch {
      return false;
    }
  });

async function closing<T extends { close(): Promise<void> }>(made: Promise<T>) {
  const value = await made;
  return { value, [Symbol.asyncDispose]: () => value.close() };
}

suite('three servers', { skip: skipWithoutNats }, () => {
  test('keep what they have when the leader is killed', async () => {
    await using fleet = await startServers(3);
    const centre = await fleet.connect(fleet.centre);
    await centre.request(docSubject('web-1'), 'document of web-1', { timeout: 60_000 });
    const manager = await jetstreamManager(centre, { checkAPI: false });
    const leader = (await manager.streams.info('DOCS')).cluster?.leader;
    const server = fleet.servers.find(({ place }) => place.name === leader);
    assert.ok(server !== undefined, String(leader));
    await server.kill();
    await answered(fleet, 'web-1');
    server.start();
    await fleet.healthy();
    await answered(fleet, 'web-1');
  });

  test('end a credential on a server that was away meanwhile', async () => {
    await using fleet = await startServers(3);
    const file = addHost(fleet.directory, 'web-1');
    assert.ok(file.ok);
    const credential = readCredential(file.value);
    assert.ok(credential.ok);
    const [away] = fleet.servers;
    assert.ok(away !== undefined);
    await away.kill();
    const removed = await removeHost(fleet.directory, 'web-1');
    assert.deepEqual(removed, { ok: true, value: { servers: 2, of: 3 } });
    away.start();
    await fleet.healthy();
    const there = { ...credential.value, servers: [away.url] };
    await eventually('the server that was away refuses it', () =>
      connectWith(there, { reconnect: false }).then(
        async (connection) => {
          await connection.close();
          return false;
        },
        (error: unknown) => /authorization/i.test(String(error)),
      ),
    );
  });

  test('let in no server that has no certificate of theirs', async () => {
    await using fleet = await startServers(3);
    await using stranger = await startServers(1);
    const [first] = fleet.servers;
    const [server] = stranger.servers;
    assert.ok(first !== undefined && server !== undefined);
    await server.kill();
    // The stranger has a certificate of its own authority, and knows the address of a route.
    const route = `nats-route://localhost:${first.place.clusterPort}`;
    const files = join(stranger.directory, 'servers', server.place.name);
    const child = spawn(
      'nats-server',
      [
        '--port',
        String(server.place.port),
        '--addr',
        '127.0.0.1',
        '--cluster_name',
        fleet.state.fleet,
      ]
        .concat(['--cluster', `nats://127.0.0.1:${server.place.clusterPort}`, '--routes', route])
        .concat(['--tls', '--tlscert', join(files, 'tls.pem'), '--tlskey', join(files, 'tls.key')]),
      { stdio: 'ignore' },
    );
    try {
      await eventually('the server refuses the route', () =>
        /TLS (route )?handshake error|tls: /i.test(first.log()),
      );
      assert.equal(child.exitCode, null);
      const routes = await fetch(`http://127.0.0.1:${first.place.monitorPort}/routez`);
      const { routes: list = [] } = (await routes.json()) as {
        routes?: { remote_name?: string }[];
      };
      const names = new Set(list.map((each) => each.remote_name));
      assert.deepEqual([...names].toSorted(), ['nats-2', 'nats-3']);
    } finally {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
  });
});

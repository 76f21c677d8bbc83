/** Three servers: what stays when one is killed, and who may be a fourth. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { docRequest, docSubject } from '../../../src/fleet/core/subjects.ts';
import { connectWith, readCredential } from '../../../src/fleet/io/nats/connect.ts';
import { addHost, removeHost } from '../../../src/fleet/io/server/hosts.ts';
import { eventually } from '../../../testing/patience.ts';
import { skipWithoutNats, startServers, type TestServer, type TestServers } from './servers.ts';

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
    // It has a certificate of its own authority, believes in theirs, and knows the address of a route.
    const own = join(stranger.directory, 'servers', server.place.name);
    const theirs = join(fleet.directory, 'servers', first.place.name);
    const conf = join(stranger.directory, 'stranger.conf');
    writeFileSync(
      conf,
      `server_name: stranger
listen: "127.0.0.1:${server.place.port}"
cluster {
  name: "${fleet.state.fleet}"
  listen: "127.0.0.1:${server.place.clusterPort}"
  tls { cert_file: "${own}/tls.pem", key_file: "${own}/tls.key", ca_file: "${theirs}/ca.pem" }
  routes: ["nats-route://localhost:${first.place.clusterPort}"]
}
`,
    );
    const child = spawn('nats-server', ['-c', conf], { stdio: 'ignore' });
    try {
      await eventually(
        'the server answers the route',
        async () => /TLS route handshake error/i.test(first.log()) || (await hasStranger(first)),
      );
      assert.equal(child.exitCode, null);
      assert.equal(await hasStranger(first), false);
    } finally {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
  });
});

async function hasStranger({ place }: TestServer): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${place.monitorPort}/routez`);
  const { routes = [] } = (await answer.json()) as {
    readonly routes?: readonly { readonly remote_name?: string }[];
  };
  assert.ok(routes.some(({ remote_name: name }) => name === 'nats-2'));
  return routes.some(({ remote_name: name }) => name === 'stranger');
}

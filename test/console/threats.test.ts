/**
 * Threats to the console, as processes of two accounts show them on real ports: a tenant's, and the visitor's. The other
 * tests that begin with a number of a threat are next to what they test; docs/console.md lists them all.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ErrorResponse } from '../../src/agent/api/api.ts';
import { addressesOf } from '../../src/console/core/addresses.ts';
import { unprivilegedPortStart } from '../../src/sys/sockets/unprivileged-ports.ts';
import { eventually } from '../../testing/patience.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { ServedConsole } from './served.ts';
import { ask, reasonOf, uids } from './stage.ts';

const program = fileURLToPath(new URL('../../bulkhead', import.meta.url));
const tenant = uids.bob;
const front = 64_999;
const host = { host: 'limits.example' };

/** Has a process of a tenant listen on an address; returns the errno, or `it listens`. */
function tenantListens(address: string, port: number): string {
  const script = `require('node:net').createServer().on('error', (error) => console.log(error.code))
    .listen({ host: '${address}', port: ${port} }, function () { console.log('it listens'); this.close(); })`;
  const { stdout } = spawnSync(process.execPath, ['-e', script], {
    encoding: 'utf8',
    uid: tenant,
    gid: tenant,
  });
  return stdout.trim();
}

interface Held {
  readonly fds: readonly number[];
  readonly port: number;
  readonly socket: string;
  readonly close: () => void;
}

const fdOf = (server: object) =>
  (server as { readonly _handle: { readonly fd?: number } })._handle.fd;

/** Listens as the socket unit does: on the unix socket, and on the addresses of \`listen\`. */
async function hold(directory: string, addresses: readonly string[]): Promise<Held> {
  const unix = createServer((socket) => socket.destroy());
  const socket = `${directory}/console.sock`;
  await new Promise<void>((resolve) => unix.listen({ path: socket }, resolve));
  let port = 0;
  const all = [unix];
  for (const address of addresses) {
    const server = createServer((each) => each.destroy());
    await new Promise<void>((resolve) =>
      server.listen({ host: address, port, ipv6Only: true }, resolve),
    );
    port = (server.address() as AddressInfo).port;
    all.push(server);
  }
  return {
    fds: all.map((each) => fdOf(each) ?? -1),
    port,
    socket,
    close: () => all.forEach((each) => each.close()),
  };
}

/** Starts the front as its unit does. */
function startFront(directory: string, { fds }: Held): ChildProcess {
  writeFileSync(`${directory}/manifest.json`, '{"files":[{"path":"/","file":"index.html"}]}');
  writeFileSync(`${directory}/index.html`, '<!doctype html>');
  const args = ['--instance', 'console-threats-test', 'console', 'serve', '--files', directory];
  const start = `LISTEN_PID=$$ LISTEN_FDS=${fds.length} exec "$0" "$@"`;
  return spawn('/bin/sh', ['-c', start, program, ...args], {
    stdio: ['ignore', 'ignore', 'inherit', ...fds],
    uid: front,
    gid: front,
    env: { PATH: process.env['PATH'] },
  });
}

test('T2, T3: a tenant gets the port neither beside the console nor while it is restarted', async () => {
  using directory = temporaryDirectory('threats', undefined, 0o755);
  const addresses = addressesOf({ host: '0.0.0.0', port: 1 }, true).map((each) =>
    each.replace(/:1$/, '').replaceAll(/[[\]]/g, ''),
  );
  const held = await hold(directory.path, addresses);
  try {
    for (let run = 1; run <= 2; run++) {
      const child = startFront(directory.path, held);
      const exited = once(child, 'exit');
      const status = await eventually('it answers', async () => {
        assert.equal(child.exitCode, null);
        const reply = await ask(held.socket, '/', { headers: host }).catch(() => undefined);
        return reply?.status;
      });
      // It is not one of the names that this front has without a policy.
      assert.equal(status, 421);
      const tried = () =>
        ['127.0.0.1', '127.0.0.2', '0.0.0.0', '::1', '::'].map((each) =>
          tenantListens(each, held.port),
        );
      assert.deepEqual(new Set(tried()), new Set(['EADDRINUSE']));
      child.kill('SIGTERM');
      assert.deepEqual(await exited, [0, null]);
      assert.deepEqual(new Set(tried()), new Set(['EADDRINUSE']));
    }
  } finally {
    held.close();
  }
  assert.equal(tenantListens('127.0.0.1', held.port), 'it listens');
});

test('T2: a tenant gets no port below those that the kernel gives to everybody', (t) => {
  const start = unprivilegedPortStart('/proc');
  if (start <= 843) {
    t.skip(`ports from ${start} on are everybody's here`);
    return;
  }
  assert.equal(tenantListens('127.0.0.1', 843), 'EACCES');
});

test('T4: no answer sets a cookie, and none is read', async () => {
  await using served = await ServedConsole.start();
  const { token } = await served.stage.login(uids.bob);
  const paths = ['/', '/missing', '/v1/top', '/v1/console/session', '/v1/console/stream'];
  for (const path of paths)
    for (const headers of [host, { ...host, cookie: `token=${token}; session=${token}` }]) {
      const reply = await ask(served.socket, path, { headers });
      assert.equal(reply.headers['set-cookie'], undefined, path);
      if (path.startsWith('/v1/')) assert.equal(reply.status, 401, path);
    }
});

test('T10: hostile names and paths come back as JSON that no browser takes for a page', async () => {
  await using served = await ServedConsole.start();
  const { token } = await served.stage.login(0);
  const hostile = encodeURIComponent('<img src=x onerror=alert(1)>\u001b[2J\u202e');
  for (const path of [`/v1/usage?tenant=${hostile}`, `/v1/incidents?tenant=${hostile}`]) {
    const headers = { ...host, authorization: `Bearer ${token}` };
    const reply = await ask(served.socket, path, { headers });
    assert.ok(reply.status >= 400 && reply.status < 500, `${path} ${reply.status}`);
    assert.equal(reply.headers['content-type'], 'application/json');
    assert.equal(reply.headers['x-content-type-options'], 'nosniff');
    // The text for people has none of it; the name itself is data, which the page shows as text.
    assert.match(reply.json<ErrorResponse>().error, /^[\u0020-\u007e]*$/);
    assert.match(reply.text, /^[\u0020-\u007e\u202e]*$/);
  }
});

test('T12: there is no password, and nobody learns which accounts exist', async () => {
  await using served = await ServedConsole.start();
  const { stage, socket } = served;
  const basic = (user: string) => `Basic ${Buffer.from(`${user}:secret`).toString('base64')}`;
  const refused = async (user: string) => {
    const headers = { ...host, authorization: basic(user) };
    const { status, text } = await ask(socket, '/v1/top', { headers });
    return { status, text };
  };
  assert.deepEqual(await refused('root'), await refused('mallory'));
  assert.equal((await refused('root')).status, 401);
  assert.equal((await refused('root')).text.includes('password'), false);
  // A tenant that asks for the login of another one, or of nobody, gets the same words.
  const asked = async (name: string) => {
    const reply = await stage.makeCode(uids.bob, `?as=${name}`);
    assert.equal(reply.status, 404);
    return reasonOf(reply).replace(name, 'NAME');
  };
  assert.equal(await asked('alice'), await asked('mallory'));
  // A guess at a code costs as much: a wrong one says no more than a used one.
  const guess = async (code: string) => {
    const reply = await stage.exchange(code);
    assert.equal(reply.status, 401);
    return reasonOf(reply);
  };
  const code = await stage.code(uids.bob);
  assert.equal((await stage.exchange(code)).status, 200);
  assert.equal(await guess(code), await guess('A'.repeat(43)));
});

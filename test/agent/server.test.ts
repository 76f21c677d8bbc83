/** The listeners of the agent under clients that mean harm. */
import assert from 'node:assert/strict';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ControlServer } from '../../src/agent/api/server/server.ts';
import { freePort } from '../../testing/free-port.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const directory = suiteDirectory('server');
const token = 'a-token-for-this-test';
const api = {
  fetch: (_: Request, { caller }: { readonly caller: unknown }) =>
    Response.json({ caller }, { status: caller === undefined ? 403 : 200 }),
};

/**
 * Returns the text that arrives until the other end closes, while `head` and then `more` for ever
 * are sent.
 */
async function talk(to: NetConnectOpts, head: string, more = ''): Promise<string> {
  const socket = connect(to);
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  // Not `once`, which an error before it would fail.
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(head);
  const send = () => {
    let isTaken = more !== '';
    while (isTaken) isTaken = socket.writable && socket.write(more);
  };
  socket.on('drain', send);
  send();
  await closed;
  return text;
}

const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;

describe('ControlServer', () => {
  test('refuses a body with 413 on both listeners, with or without a token', async () => {
    await using server = new ControlServer(api);
    const path = join(directory, 'socket');
    const port = await freePort();
    await server.listenOnSocket(path);
    await server.listenOnTcp({ host: '127.0.0.1', port }, token);
    const authorized = `Authorization: Bearer ${token}\r\n`;
    for (const to of [{ path }, { host: '127.0.0.1', port }]) {
      for (const header of ['', authorized, 'Expect: 100-continue\r\n', 'Expect: x\r\n']) {
        for (const method of ['GET', 'POST']) {
          const head = `${method} /v1/top HTTP/1.1\r\nHost: x\r\n${header}`;
          const endless = await talk(to, `${head}Transfer-Encoding: chunked\r\n\r\n`, chunk);
          assert.match(endless, /^HTTP\/1\.1 413 /);
          const long = await talk(to, `${head}Content-Length: 99999999999\r\n\r\n`, chunk);
          assert.match(long, /^HTTP\/1\.1 413 /);
        }
      }
      assert.match(
        await talk(to, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n'),
        /caller|403/,
      );
    }
  });

  test('answers one request per connection, and stops reading', async () => {
    await using server = new ControlServer(api);
    const path = join(directory, 'socket');
    await server.listenOnSocket(path);
    const request = 'GET /v1/top HTTP/1.1\r\nHost: x\r\n\r\n';
    assert.match(await talk({ path }, request), /^HTTP\/1\.1 200 [^]*Connection: close/i);
    await talk({ path }, request, request);
  });

  test('answers requests with the token while 300 strangers connect', async () => {
    await using server = new ControlServer(api);
    const to = { host: '127.0.0.1', port: await freePort() };
    await server.listenOnTcp(to, token);
    const strangers = new Set<Socket>();
    const state = { isOver: false, dropped: 0 };
    const come = () => {
      if (state.isOver) return;
      const socket = connect(to);
      strangers.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => {
        strangers.delete(socket);
        state.dropped++;
        setImmediate(come);
      });
    };
    for (let index = 0; index < 300; index++) come();
    const request = `GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    // Each of the first ones has been dropped for another, and more than once.
    for (let asked = 0; asked < 10 || state.dropped < 600; asked++) {
      assert.match(await talk(to, request), /"kind":"token"/);
    }
    state.isOver = true;
    for (const each of strangers) each.destroy();
  });
});

/** The client against programs that listen where PostgreSQL should: silent, closing, or sending anything. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { messageOf } from '../../../src/database/core/protocol/postgresql/messages.ts';
import { connectDatabase } from '../../../src/database/io/client/connect.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';

const accepted = messageOf('R', Uint8Array.of(0, 0, 0, 0));
const ready = messageOf('Z', Buffer.from('I'));
const scram = messageOf('R', Buffer.from('\0\0\0\x0aSCRAM-SHA-256\0\0', 'latin1'));

describe('a client of something that is not PostgreSQL', () => {
  const directory = suiteDirectory('postgresql-hostile', '/tmp');
  const open: { readonly close: () => void }[] = [];
  after(() => open.forEach((each) => each.close()));
  let servers = 0;

  async function listen(serve: (socket: Socket) => void): Promise<string> {
    servers += 1;
    const place = join(directory, String(servers));
    mkdirSync(place);
    const path = join(place, '.s.PGSQL.5432');
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket.on('error', () => {}));
      serve(socket);
    });
    open.push({
      close: () => {
        server.close();
        for (const each of sockets) each.destroy();
      },
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return path;
  }

  async function reasonOf(serve: (socket: Socket) => void): Promise<string> {
    const login = { user: 'alice', password: 'sesame' };
    const opened = await connectDatabase(await listen(serve), login, { replyMilliseconds: 200 });
    if (!opened.ok) return opened.error.reason;
    const rows = await opened.value.query('SELECT 1');
    assert.ok(!rows.ok);
    assert.ok(!opened.value.isOpen, 'the connection has ended');
    assert.equal((await opened.value.query('SELECT 2')).ok, false);
    return rows.error.reason;
  }

  /** Accepts any login, then does `answer`. */
  const loggedIn = (answer: (socket: Socket) => void) => (socket: Socket) => {
    socket.once('data', () => {
      socket.write(Buffer.concat([accepted, ready]));
      socket.once('data', () => answer(socket));
    });
  };

  test('that is silent waits for a limited time', async () => {
    assert.match(await reasonOf(() => {}), /did not answer within 200 ms/);
    assert.match(await reasonOf(loggedIn(() => {})), /did not answer within 200 ms/);
  });

  test('that sends a little again and again waits for a limited time', async () => {
    const drip = (socket: Socket) => {
      const timer = setInterval(() => socket.write(messageOf('N', Buffer.from('\0'))), 20);
      socket.on('close', () => clearInterval(timer));
    };
    assert.match(await reasonOf(loggedIn(drip)), /did not answer within 200 ms/);
    assert.match(await reasonOf(drip), /did not answer within 200 ms/);
  });

  test('that closes says so', async () => {
    assert.match(await reasonOf((socket) => socket.end()), /closed|ECONNRESET|EPIPE/);
    assert.match(await reasonOf(loggedIn((socket) => socket.end())), /closed|ECONNRESET|EPIPE/);
  });

  test('that speaks another protocol is refused', async () => {
    const mariadb = Buffer.from('J\0\0\0\n11.8.6-MariaDB\0');
    assert.match(await reasonOf((socket) => socket.write(mariadb)), /protocol|not answer/);
    assert.match(
      await reasonOf(loggedIn((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))),
      /broke the protocol/,
    );
  });

  test('that does not know the password gets no further', async () => {
    const loop = (socket: Socket) => socket.on('data', () => socket.write(scram));
    assert.match(await reasonOf(loop), /password/);
    const forged = (socket: Socket) =>
      socket.once('data', () => {
        socket.write(scram);
        socket.once('data', () =>
          socket.write(messageOf('R', Buffer.from('\0\0\0\x0bv=forged', 'latin1'))),
        );
      });
    assert.match(await reasonOf(forged), /does not prove/);
  });

  test('that sends more than a reply is left', async () => {
    const more = Buffer.concat([messageOf('C', Buffer.from('SELECT 0\0')), ready, ready]);
    const opened = await connectDatabase(
      await listen(loggedIn((socket) => socket.write(more))),
      { user: 'alice' },
      { replyMilliseconds: 200 },
    );
    assert.ok(opened.ok);
    await opened.value.query('SELECT 1');
    assert.equal((await opened.value.query('SELECT 1')).ok, false);
  });
});

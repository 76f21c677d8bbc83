/** The client against programs that listen where a server should: silent, slow, closing, or sending anything. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { connectDatabase } from '../../src/database/io/client/connect.ts';
import { connectForRoot } from '../../src/database/io/open-server.ts';
import { packetOf } from '../../src/database/core/protocol/packets.ts';
import { suiteDirectory, temporaryDirectory } from '../../testing/temporary-directory.ts';

const greeting = packetOf(
  Buffer.from(`\n11.8.6-MariaDB\0${'\x01'.repeat(12 + 19 + 12)}\0mysql_native_password\0`),
  0,
);
const accepted = packetOf(Uint8Array.of(0, 0, 0, 2, 0, 0, 0), 2);

describe('a client of', () => {
  const directory = suiteDirectory('database-hostile', '/tmp');
  const open: { readonly close: () => void }[] = [];
  after(() => open.forEach((each) => each.close()));

  async function listen(name: string, serve: (socket: Socket) => void): Promise<string> {
    const path = join(directory, name);
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

  const connect = (path: string) =>
    connectDatabase(path, { user: 'root' }, { replyMilliseconds: 200 });

  async function reasonOf(name: string, serve: (socket: Socket) => void): Promise<string> {
    const opened = await connect(await listen(name, serve));
    if (!opened.ok) return opened.error.reason;
    const rows = await opened.value.query('SELECT 1');
    assert.ok(!rows.ok);
    assert.ok(!opened.value.isOpen, 'the connection has ended');
    const again = await opened.value.query('SELECT 2');
    assert.deepEqual(again, rows);
    return rows.error.reason;
  }

  /** Answers the greeting, accepts any login, then does `answer`. */
  const loggedIn = (answer: (socket: Socket) => void) => (socket: Socket) => {
    socket.write(greeting);
    socket.once('data', () => {
      socket.write(accepted);
      socket.once('data', () => answer(socket));
    });
  };

  test('root gives no login to a socket that others can have made', async () => {
    let connections = 0;
    const path = await listen('others', () => (connections += 1));
    const opened = await connectForRoot(path, { user: 'root', password: 'sesame' });
    assert.match(opened.ok ? '' : opened.error.reason, /\/tmp can be written by others/);
    assert.equal(connections, 0);
    const long = await connectForRoot(`/${'x'.repeat(5000)}`, { user: 'root' });
    assert.equal(long.ok, false);
  });

  test(
    'root gives no password to a server of a person',
    { skip: process.getuid?.() !== 0 },
    async () => {
      using directory = temporaryDirectory('person', '/var/lib');
      chmodSync(directory.path, 0o755);
      const home = join(directory.path, 'home');
      mkdirSync(home);
      const path = join(home, 'mysqld.sock');
      let connections = 0;
      const server = createServer(() => (connections += 1));
      await new Promise<void>((resolve) => server.listen(path, resolve));
      try {
        for (const each of [home, path]) chownSync(each, 1500, 1500);
        const opened = await connectForRoot(path, { user: 'root', password: 'sesame' });
        assert.match(
          opened.ok ? '' : opened.error.reason,
          /belongs to uid 1500, an account of a person/,
        );
        assert.equal(connections, 0);
      } finally {
        server.close();
      }
    },
  );

  test('a server that never greets waits for a limited time', async () => {
    assert.match(await reasonOf('silent', () => {}), /did not answer within 200 ms/);
  });

  test('a server that never replies waits for a limited time', async () => {
    assert.match(
      await reasonOf(
        'mute',
        loggedIn(() => {}),
      ),
      /did not answer within 200 ms/,
    );
  });

  test('a server that sends byte after byte waits for a limited time', async () => {
    const slow = loggedIn((socket) => {
      socket.write(Uint8Array.of(200, 0, 0, 1));
      const timer = setInterval(() => socket.write('a'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    assert.match(await reasonOf('slow', slow), /did not answer within 200 ms/);
  });

  test('a server that closes the connection', async () => {
    const closing = loggedIn((socket) => socket.destroy());
    assert.match(await reasonOf('closing', closing), /closed the connection|ECONNRESET|EPIPE/);
  });

  test('a server that sends packets out of order', async () => {
    const wrong = loggedIn((socket) => socket.write(packetOf(Uint8Array.of(0), 7)));
    assert.match(await reasonOf('disorder', wrong), /not in order/);
  });

  test('another program, such as a web server', async () => {
    const http = (socket: Socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    assert.match(await reasonOf('web', http), /not in order|did not answer|protocol/);
  });

  test('a server that sends more than a reply', async () => {
    const path = await listen('more', (socket) => {
      socket.write(greeting);
      socket.once('data', () => {
        socket.write(accepted);
        socket.on('data', () => {
          const nothing = Uint8Array.of(0, 0, 0, 2, 0, 0, 0);
          socket.write(Buffer.concat([packetOf(nothing, 1), packetOf(nothing, 2)]));
        });
      });
    });
    const opened = await connect(path);
    assert.ok(opened.ok);
    const [first, second] = await Promise.all(
      ['SELECT 1', 'SELECT 2'].map(opened.value.query.bind(opened.value)),
    );
    assert.ok(first?.ok);
    assert.ok(second !== undefined && !second.ok);
  });

  test('nothing, says that there is no socket', async () => {
    const opened = await connect(join(directory, 'none'));
    assert.ok(!opened.ok);
    assert.equal(opened.error.reason, 'there is no socket');
  });

  test('a plugin that it does not know, says what to do', async () => {
    const other = (socket: Socket) => {
      socket.write(greeting);
      const ask = Buffer.from('\xfeclient_ed25519\0abc', 'latin1');
      socket.once('data', () => socket.write(packetOf(ask, 2)));
    };
    const reason = await reasonOf('plugin', other);
    assert.equal(reason, 'the account\'s authentication plugin "client_ed25519" is not supported');
  });
});

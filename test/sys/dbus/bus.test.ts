/** The client against the real dbus-daemon, with systemd's own client at the other end. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { promisify } from 'node:util';
import { connectBus, type Bus } from '../../../src/sys/dbus/bus.ts';
import { variant, type Value } from '../../../src/sys/dbus/value.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import { Lines } from '../../../src/sys/lines.ts';
import { eventually } from '../../../testing/patience.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';
import { skip, startBus } from './private-bus.ts';

const daemon = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
};
const run = promisify(execFile);

async function connected(socket: string): Promise<Bus> {
  const bus = await connectBus(socket);
  assert.ok(bus.ok, bus.ok ? '' : formatProblem(bus.error));
  return bus.value;
}

async function nameOf(bus: Bus): Promise<string> {
  const before = await bus.call({ ...daemon, member: 'ListNames', returns: 'as' });
  assert.ok(before.ok);
  return (before.value[0] as string[]).findLast((name) => name.startsWith(':'))!;
}

suite('connectBus()', { skip }, () => {
  test('call() gets 2,000 replies to calls made at once', async () => {
    await using server = await startBus();
    using bus = await connected(server.socket);
    const names = await bus.call({ ...daemon, member: 'ListNames', returns: 'as' });
    assert.ok(names.ok);
    assert.ok((names.value[0] as string[]).includes('org.freedesktop.DBus'));
    const uids = await Promise.all(
      Array.from({ length: 2000 }, () =>
        bus.call({
          ...daemon,
          member: 'GetConnectionUnixUser',
          signature: 's',
          body: ['org.freedesktop.DBus'],
          returns: 'u',
        }),
      ),
    );
    assert.deepEqual(
      new Set(uids.map((uid) => uid.ok && uid.value[0])),
      new Set([process.geteuid!()]),
    );
  });

  test('call() reads a dictionary of variants', async () => {
    await using server = await startBus();
    using bus = await connected(server.socket);
    const credentials = await bus.call({
      ...daemon,
      member: 'GetConnectionCredentials',
      signature: 's',
      body: [await nameOf(bus)],
      returns: 'a{sv}',
    });
    assert.ok(credentials.ok);
    const held = new Map(credentials.value[0] as [string, { value: Value }][]);
    assert.equal(held.get('ProcessID')?.value, process.pid);
    assert.equal(held.get('UnixUserID')?.value, process.geteuid!());
  });

  test('call() gives the name of the error, and the type of an unexpected reply', async () => {
    await using server = await startBus();
    using bus = await connected(server.socket);
    const refused = await bus.call({ ...daemon, member: 'NoSuch', returns: '' });
    assert.ok(!refused.ok);
    assert.equal(refused.error.errorName, 'org.freedesktop.DBus.Error.UnknownMethod');
    assert.match(
      formatProblem(refused.error),
      /^Cannot call NoSuch of "\/org\/freedesktop\/DBus": /,
    );
    const other = await bus.call({ ...daemon, member: 'ListNames', returns: 's' });
    assert.ok(!other.ok);
    assert.equal(other.error.reason, 'its reply is a "as"');
    assert.equal(bus.ended(), undefined);
  });

  test('call() refuses strings that have no UTF-8 form, and stays connected', async () => {
    await using server = await startBus();
    using bus = await connected(server.socket);
    for (const name of ['a\0b', '\ud800']) {
      const reply = await bus.call({
        ...daemon,
        member: 'GetNameOwner',
        signature: 's',
        body: [name],
        returns: 's',
      });
      assert.ok(!reply.ok);
      assert.equal(reply.error.reason, 'a string has characters that have no bytes');
    }
    const path = await bus.call({
      ...daemon,
      path: '/no//path',
      member: 'ListNames',
      returns: 'as',
    });
    assert.ok(!path.ok);
    const names = await bus.call({ ...daemon, member: 'ListNames', returns: 'as' });
    assert.ok(names.ok);
  });

  test('call() writes every type as busctl reads it', async () => {
    await using server = await startBus();
    using bus = await connected(server.socket);
    const monitor = spawn(
      'busctl',
      [`--address=unix:path=${server.socket}`, '--json=short', 'monitor'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const seen: { member?: string; payload?: { type: string; data: unknown } }[] = [];
    const seenLines = new Lines(2 ** 20, (line) => seen.push(JSON.parse(line) as never));
    monitor.stdout.on('data', (chunk: Buffer) => seenLines.add(chunk));
    const everything = {
      ...daemon,
      member: 'Everything',
      signature: 'ybnqiuxtdsogvaya{sv}a(sa(oi))aau',
      body: [
        255,
        true,
        -32768,
        65535,
        -2147483648,
        4294967295,
        -(2n ** 63n),
        2n ** 64n - 1n,
        1.5,
        'grüße',
        '/a/b_1',
        'a{sv}',
        variant('(st)', ['one', 1n]),
        Uint8Array.of(1, 2, 3),
        [
          ['MemoryMax', variant('t', 7n)],
          ['Slice', variant('s', 'user-1001.slice')],
        ],
        [['x', [['/', -1]]]],
        [[1, 2], [], [3]],
      ],
      returns: '',
    };
    // It does not say when it has begun to listen.
    const { payload } = await eventually('the call is seen', async () => {
      await bus.call(everything);
      return seen.find(({ member }) => member === 'Everything');
    });
    monitor.kill();
    assert.equal(payload?.type, 'ybnqiuxtdsogvaya{sv}a(sa(oi))aau');
    assert.deepEqual(payload?.data, [
      255,
      true,
      -32768,
      65535,
      -2147483648,
      4294967295,
      Number(-(2n ** 63n)),
      Number(2n ** 64n - 1n),
      1.5,
      'grüße',
      '/a/b_1',
      'a{sv}',
      { type: '(st)', data: ['one', 1] },
      [1, 2, 3],
      { MemoryMax: { type: 't', data: 7 }, Slice: { type: 's', data: 'user-1001.slice' } },
      [['x', [['/', -1]]]],
      [[1, 2], [], [3]],
    ]);
  });

  test('call() fails, and says that the connection closed, after the bus ends', async () => {
    await using server = await startBus();
    using bus = await connected(server.socket);
    server.kill();
    await eventually('the end is known', () => bus.ended() !== undefined);
    const reply = await bus.call({ ...daemon, member: 'ListNames', returns: 'as' });
    assert.ok(!reply.ok);
    assert.equal(
      formatProblem(reply.error),
      'Cannot call ListNames of "/org/freedesktop/DBus": it closed the connection',
    );
  });
});

test('connectBus() names the socket when there is no bus', async () => {
  const bus = await connectBus('/nowhere/bus');
  assert.ok(!bus.ok);
  assert.equal(
    formatProblem(bus.error),
    'Cannot connect to the message bus at "/nowhere/bus": it does not exist',
  );
});

suite('connectBus() fails when the server', () => {
  const answers: Readonly<Record<string, string>> = {
    'refuses us': 'REJECTED EXTERNAL\r\n',
    'never ends its line': 'x'.repeat(20_000),
    'speaks something else': `OK 0\r\n${'HTTP/1.1 400 Bad Request\r\n'.repeat(2)}`,
    'announces a message of 4 GiB': `OK 0\r\nl\u0002\u0001\u0001${'\u007f'.repeat(12)}`,
  };
  for (const [what, answer] of Object.entries(answers)) {
    test(what, async () => {
      using scratch = temporaryDirectory('dbus');
      const directory = scratch.path;
      const path = join(directory, 'bus');
      const server = createServer((socket: Socket) =>
        socket.on('error', () => undefined).write(answer, 'latin1'),
      );
      await new Promise<void>((resolve) => server.listen(path, resolve));
      try {
        const bus = await connectBus(path);
        assert.ok(!bus.ok);
        assert.match(formatProblem(bus.error), /^Cannot connect to the message bus at "/);
      } finally {
        server.close();
      }
    });
  }
});

suite('openBus()', { skip }, () => {
  // It is in a process of its own, since nothing else of its process runs while it waits.
  const script = (socket: string, lines: string) => `
    import { openBus } from ${JSON.stringify(new URL('../../../src/sys/dbus/blocking-bus.ts', import.meta.url).href)};
    const daemon = ${JSON.stringify(daemon)};
    const opened = openBus(${JSON.stringify(socket)});
    if (!opened.ok) { console.log(JSON.stringify(opened.error)); process.exit(); }
    using bus = opened.value;
    ${lines}`;
  const printed = async (socket: string, lines: string) => {
    const args = ['--input-type=module', '-e', script(socket, lines)];
    const { stdout } = await run(process.execPath, args);
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  };

  test('call() gives replies and errors in order, and fails after a timeout', async () => {
    await using server = await startBus();
    const [uid, refused, late, broken] = await printed(
      server.socket,
      `const ask = (member, more = {}) => console.log(JSON.stringify(bus.call({ ...daemon, member, ...more })));
       ask('GetConnectionUnixUser', { signature: 's', body: ['org.freedesktop.DBus'], returns: 'u' });
       ask('NoSuch', { returns: '' });
       ask('ListNames', { returns: 'as', timeoutMs: 0 });
       ask('ListNames', { returns: 'as' });`,
    );
    assert.deepEqual(uid, { ok: true, value: [process.geteuid!()] });
    assert.equal(
      (refused as { error: { errorName: string } }).error.errorName,
      'org.freedesktop.DBus.Error.UnknownMethod',
    );
    for (const each of [late, broken]) {
      assert.equal(
        (each as { error: Error & { reason: string } }).error.reason,
        'no reply came in time',
      );
    }
  });

  test('call() keeps waiting when a signal arrives', async () => {
    await using server = await startBus();
    const [answer] = await printed(
      server.socket,
      `const { execFileSync, spawn } = await import('node:child_process');
       process.on('SIGUSR2', () => {});
       execFileSync('kill', ['-STOP', '${server.pid}']);
       const signals = 'for i in 1 2 3 4 5 6 7 8 9; do sleep 0.1; kill -USR2 ' + process.pid + '; done; kill -CONT ${server.pid}';
       spawn('sh', ['-c', signals], { stdio: 'ignore' });
       const asked = { member: 'GetConnectionUnixUser', signature: 's', body: ['org.freedesktop.DBus'] };
       console.log(JSON.stringify(bus.call({ ...daemon, ...asked, returns: 'u', timeoutMs: 600_000 })));`,
    );
    assert.deepEqual(answer, { ok: true, value: [process.geteuid!()] });
  });

  test('names the socket when there is no bus', async () => {
    const [problem] = await printed('/nowhere/bus', '');
    assert.deepEqual(problem, {
      reason: 'ENOENT (it does not exist)',
      errno: 'ENOENT',
      action: 'connect to the message bus at',
      object: '/nowhere/bus',
    });
  });
});

/** D-Bus messages are read from a stream, in whatever pieces they come. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { extentOf, readMessage, writeCall } from '../../../src/sys/dbus/message.ts';
import { MessageStream } from '../../../src/sys/dbus/message-stream.ts';
import { mustEnd } from '../../../testing/patience.ts';
import { hex } from './hex.ts';

const call = (serial: number, body = 'x') => {
  const bytes = writeCall({
    serial,
    destination: 'org.example.A',
    path: '/a',
    interface: 'org.example.A',
    member: 'M',
    signature: 's',
    body: [body],
  });
  assert.ok(bytes.ok);
  return bytes.value;
};

test('readMessage() reads what writeCall() wrote', () => {
  const read = readMessage(call(7, 'hello'));
  assert.ok(read.ok);
  const { kind, serial, path, member, destination, signature, body } = read.value;
  assert.deepEqual(
    { kind, serial, path, member, destination, signature, body: body.toString('hex') },
    {
      kind: 'call',
      serial: 7,
      path: '/a',
      member: 'M',
      destination: 'org.example.A',
      signature: 's',
      body: '0500000068656c6c6f00',
    },
  );
});

suite('MessageStream', () => {
  test('push() finds the messages wherever they are cut', () => {
    const all = Buffer.concat([1, 2, 3].map((serial) => call(serial, 'y'.repeat(serial * 11))));
    for (let cut = 1; cut < all.length; cut++) {
      const stream = new MessageStream();
      const serials: number[] = [];
      for (let at = 0; at < all.length; at += cut) {
        const messages = stream.push(all.subarray(at, at + cut));
        assert.ok(messages.ok);
        serials.push(...messages.value.map(({ serial }) => serial));
      }
      assert.deepEqual(serials, [1, 2, 3]);
    }
  });

  test('push() skips long messages and other byte orders, and fails for a long reply', () => {
    const long = Buffer.alloc(20 * 2 ** 20);
    hex('6c040001').copy(long);
    long.writeUInt32LE(long.length - 16, 4);
    const other = hex('42040001 00000004 00000001 00000000 00000000');
    const stream = new MessageStream();
    const serials: number[] = [];
    const all = Buffer.concat([long, other, call(5)]);
    for (let at = 0; at < all.length; at += 65_536) {
      const messages = stream.push(all.subarray(at, at + 65_536));
      assert.ok(messages.ok);
      serials.push(...messages.value.map(({ serial }) => serial));
    }
    assert.deepEqual(serials, [5]);
    long[1] = 2;
    assert.deepEqual(new MessageStream().push(long), {
      ok: false,
      error: { reason: 'a reply is too long' },
    });
  });

  test('push() skips a signal whose header is malformed', () => {
    const bad = hex('6c040001 00000000 01000000 08000000 ffffffff ffffffff');
    const messages = new MessageStream().push(Buffer.concat([bad, call(9)]));
    assert.ok(messages.ok);
    assert.deepEqual(
      messages.value.map(({ serial }) => serial),
      [9],
    );
  });

  test('push() takes linear time for a message in very many pieces', () => {
    const bytes = call(1, 'z'.repeat(8 * 2 ** 20));
    const found = mustEnd(() => {
      const stream = new MessageStream();
      let count = 0;
      for (let at = 0; at < bytes.length; at += 64) {
        const messages = stream.push(bytes.subarray(at, at + 64));
        if (messages.ok) count += messages.value.length;
      }
      return count;
    });
    assert.equal(found, 1);
  });

  test('push() never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const stream = new MessageStream();
        stream.push(Buffer.concat([hex('6c040001'), bytes]));
        stream.push(Buffer.from(bytes));
      }),
      { numRuns: 3000 },
    );
    assert.ok(!extentOf(Buffer.alloc(16)).ok);
  });
});

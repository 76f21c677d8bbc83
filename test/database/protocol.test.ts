/** The client protocol, with packets that are cut, hostile, too long or out of order. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readFailure } from '../../src/database/core/protocol/failure.ts';
import { Fields } from '../../src/database/core/protocol/fields.ts';
import { readGreeting, readLoginStep } from '../../src/database/core/protocol/login.ts';
import { packetOf, Packets, replyBytesMax } from '../../src/database/core/protocol/packets.ts';
import { Reply } from '../../src/database/core/protocol/reply.ts';

const bytes = (...parts: readonly (number | string)[]): Uint8Array =>
  Uint8Array.from(
    parts.flatMap((each) => (typeof each === 'string' ? [...Buffer.from(each)] : each)),
  );

const text = (value: string) => bytes(Buffer.byteLength(value), value);
const join = (...parts: readonly Uint8Array[]) =>
  Uint8Array.from(parts.flatMap((each) => [...each]));

const column = (name: string) =>
  join(
    ...['def', '', '', ''].map(text),
    text(name),
    bytes(0, 12, 45, 0, 0, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0),
  );
const end = bytes(0xfe, 0, 0, 2, 0);

function rowsOf(...packets: readonly Uint8Array[]) {
  const reply = new Reply();
  for (const packet of packets) {
    const rows = reply.take(packet);
    if (!rows.ok) return rows.error.reason;
    if (rows.value !== undefined) return rows.value.map((row) => Object.fromEntries(row));
  }
  return undefined;
}

describe('packets', () => {
  const contents = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 300 });

  test('are the same however they are cut', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });
    const property = fc.property(contents, sizes, (sent, cuts) => {
      const all = join(...sent.map((each, index) => packetOf(each, index & 0xff)));
      const packets = new Packets();
      const received: Uint8Array[] = [];
      for (let at = 0, cut = 0; at < all.length; cut += 1) {
        const size = cuts[cut % cuts.length]!;
        const found = packets.push(all.subarray(at, at + size));
        assert.ok(found.ok);
        received.push(...found.value.map((each) => each.slice()));
        at += size;
      }
      assert.deepEqual(
        received.map((each) => [...each]),
        sent.map((each) => [...each]),
      );
    });
    fc.assert(property, { numRuns: 50 });
  });

  test('of any bytes end in an error or in packets that were there', () => {
    const property = fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (chunks) => {
      const packets = new Packets();
      let received = 0;
      for (const chunk of chunks) {
        const found = packets.push(chunk);
        if (!found.ok) return;
        received += found.value.reduce((sum, each) => sum + each.length, 0);
      }
      assert.ok(received <= chunks.reduce((sum, each) => sum + each.length, 0));
    });
    fc.assert(property);
  });

  test('out of order are an error', () => {
    const packets = new Packets();
    const found = packets.push(packetOf(bytes(0), 1));
    assert.deepEqual(found, { ok: false, error: { reason: 'its packets are not in order' } });
  });

  test('that continue in another are an error', () => {
    const found = new Packets().push(bytes(0xff, 0xff, 0xff, 0));
    assert.deepEqual(found, { ok: false, error: { reason: 'a packet is too long' } });
  });

  test('of more than 16 MiB for a reply are an error, and the next reply begins anew', () => {
    const half = packetOf(new Uint8Array(replyBytesMax / 2 - 4), 0);
    const packets = new Packets();
    assert.ok(packets.push(half).ok);
    packets.expect(0);
    assert.ok(packets.push(half).ok);
    assert.ok(!packets.push(new Uint8Array(replyBytesMax / 2 + 1)).ok);
  });
});

describe('replies', () => {
  test('have rows of text and NULL, by columns in lower case', () => {
    const row = join(text('alice'), bytes(0xfb));
    const found = rowsOf(bytes(2), column('USER'), column('N'), end, row, end);
    assert.deepEqual(found, [{ user: 'alice', n: null }]);
  });

  test('without rows are empty', () => {
    assert.deepEqual(rowsOf(bytes(0, 0, 0, 2, 0, 0, 0)), []);
    assert.deepEqual(rowsOf(bytes(1), column('a'), end, end), []);
  });

  test('take a long first value for a row, not for the end', () => {
    const row = join(bytes(0xfd, 0x00, 0x00, 0x01), new Uint8Array(2 ** 16).fill(0x61));
    const found = rowsOf(bytes(1), column('a'), end, row, end);
    assert.deepEqual(found, [{ a: 'a'.repeat(2 ** 16) }]);
  });

  test('cut anywhere are an error, or not complete', () => {
    const packets = [bytes(1), column('a'), end, text('alice'), end];
    const property = fc.property(fc.nat(4), fc.nat(40), (which, length) => {
      const cut = packets.map((each, index) => (index === which ? each.subarray(0, length) : each));
      if (length >= packets[which]!.length) return;
      const found = rowsOf(...cut);
      assert.ok(!Array.isArray(found) || found.every((row) => row['a'] !== 'alice') || which !== 3);
    });
    fc.assert(property);
  });

  test('never get a file of ours', () => {
    assert.match(
      JSON.stringify(rowsOf(bytes(0xfb, '/etc/shadow'))),
      /not one of the MariaDB protocol/,
    );
  });

  test('of more rows than 10,000 are an error', () => {
    const rows = Array.from({ length: 10_001 }, () => text('a'));
    const found = rowsOf(bytes(1), column('a'), end, ...rows, end);
    assert.equal(found, 'the server sent more than 10000 rows');
  });

  test('with control characters in an error show them escaped', () => {
    const { reason, code } = readFailure(bytes(0xff, 0x15, 0x04, '#28000No \u001b[31m'));
    assert.equal(code, 1045);
    assert.ok(!reason.includes('\u001b'), reason);
  });
});

test('no bytes make a parser throw', () => {
  const property = fc.property(fc.array(fc.uint8Array({ maxLength: 80 })), (packets) => {
    rowsOf(...packets);
    for (const packet of packets) {
      readGreeting(packet);
      readLoginStep(packet);
      readFailure(packet);
      const fields = new Fields(packet);
      fields.zeroTerminated();
      fields.text();
      fields.lengthInteger();
      fields.rest();
    }
  });
  fc.assert(property, { numRuns: 2000 });
});

test('a greeting loses the prefix that MariaDB puts before its version', () => {
  const greeting = join(
    bytes(10, '5.5.5-10.6.18-MariaDB', 0, 1, 0, 0, 0),
    new Uint8Array(8).fill(1),
    new Uint8Array(19),
    new Uint8Array(12).fill(2),
    bytes(0, 'mysql_native_password', 0),
  );
  const read = readGreeting(greeting);
  assert.ok(read.ok);
  assert.equal(read.value.version, '10.6.18-MariaDB');
  assert.deepEqual([...read.value.challenge], [...Array(8).fill(1), ...Array(12).fill(2)]);
});

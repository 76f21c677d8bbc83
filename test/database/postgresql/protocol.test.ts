/** The client protocol of PostgreSQL, with messages that are cut, hostile, too long or in a wrong order. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { replyBytesMax } from '../../../src/database/core/protocol/packets.ts';
import { readServerFailure } from '../../../src/database/core/protocol/postgresql/failure.ts';
import {
  readStartupStep,
  startupOf,
} from '../../../src/database/core/protocol/postgresql/login.ts';
import { messageOf, Messages } from '../../../src/database/core/protocol/postgresql/messages.ts';
import { StatementReply } from '../../../src/database/core/protocol/postgresql/statement-reply.ts';
import { md5Proof, Scram, scramVerifier } from '../../../src/database/io/client/scram.ts';

const bytes = (...parts: readonly (number | string)[]): Uint8Array =>
  Uint8Array.from(
    parts.flatMap((each) => (typeof each === 'string' ? [...Buffer.from(each)] : each)),
  );
const message = (kind: string, ...parts: readonly (number | string)[]) => ({
  kind,
  content: bytes(...parts),
});

const tail = Array.from<number>({ length: 18 }).fill(0);
const columns = message('T', 0, 2, 'Name\0', ...tail, 'n\0', ...tail);
const row = message('D', 0, 2, 0, 0, 0, 3, 'abc', 255, 255, 255, 255);
const ready = message('Z', 'I');
const failure = message('E', 'SERROR\0VERROR\0C42601\0Msyntax error\u001b[31m\0\0');

function rowsOf(...messages: readonly { kind: string; content: Uint8Array }[]) {
  const reply = new StatementReply();
  for (const each of messages) {
    const rows = reply.take(each);
    if (!rows.ok) return rows.error.reason;
    if (rows.value !== undefined) return rows.value.map((one) => Object.fromEntries(one));
  }
  return undefined;
}

describe('messages', () => {
  const contents = fc.array(
    fc.tuple(fc.constantFrom('D', 'Z', 'E'), fc.uint8Array({ maxLength: 300 })),
    {
      maxLength: 100,
    },
  );

  test('are read whatever chunks they come in', () => {
    fc.assert(
      fc.property(contents, fc.integer({ min: 1, max: 50 }), (wanted, size) => {
        const sent = Buffer.concat(wanted.map(([kind, content]) => messageOf(kind, content)));
        const messages = new Messages();
        const got: (readonly [string, Uint8Array])[] = [];
        for (let at = 0; at < sent.length; at += size) {
          const read = messages.push(sent.subarray(at, at + size));
          assert.ok(read.ok);
          got.push(
            ...read.value.map(({ kind, content }) => [kind, new Uint8Array(content)] as const),
          );
        }
        assert.deepEqual(got, wanted);
      }),
    );
  });

  test('with an impossible length, and replies without an end, are refused', () => {
    for (const length of [
      [0, 0, 0, 3],
      [255, 255, 255, 255],
      [127, 255, 255, 255],
    ])
      assert.equal(new Messages().push(bytes('D', ...length)).ok, false);
    const messages = new Messages();
    const chunk = messageOf('N', new Uint8Array(2 ** 20));
    let sent = 0;
    while (messages.push(chunk).ok) sent += chunk.length;
    assert.ok(sent <= replyBytesMax);
  });
});

describe('a reply', () => {
  test('has the rows of its last statement, with names of columns in lower case', () => {
    assert.deepEqual(rowsOf(columns, row, message('C', 'SELECT 1\0'), ready), [
      { name: 'abc', n: null },
    ]);
    assert.deepEqual(rowsOf(columns, row, columns, ready), []);
    assert.deepEqual(rowsOf(message('C', 'CREATE ROLE\0'), ready), []);
    assert.equal(rowsOf(columns, row), undefined);
  });

  test('with an error ends when the server is ready, and names the code', () => {
    const reply = new StatementReply();
    assert.ok(reply.take(failure).ok);
    const done = reply.take(ready);
    assert.ok(!done.ok && done.error.code === '42601');
    assert.ok(!done.error.reason.includes('\u001b'), 'it is printable');
  });

  test('with a fatal error ends the connection at once', () => {
    const fatal = message('E', 'SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0');
    const done = new StatementReply().take(fatal);
    assert.ok(!done.ok && done.error.code === undefined);
    assert.match(done.error.reason, /terminating connection/);
  });

  test('that is not one of the protocol is refused', () => {
    for (const hostile of [
      [row],
      [columns, message('D', 0, 1, 0, 0, 0, 0)],
      [columns, message('D', 0, 2, 0, 0, 1, 0)],
      [columns, message('D', 0, 2, 128, 0, 0, 0)],
      [message('T', 127, 255)],
      [message('T', 0, 1, 'name')],
      [message('G', 0, 0, 0)],
      [message('E', 'no code\0\0')],
    ])
      assert.match(JSON.stringify(rowsOf(...hostile)), /not one of the PostgreSQL protocol/);
  });

  test('has a limited number of rows', () => {
    const reply = new StatementReply();
    reply.take(columns);
    let taken = 0;
    while (reply.take(row).ok) taken += 1;
    assert.equal(taken, 10_000);
  });

  test('of anything makes no exception', () => {
    const anything = fc.record({
      kind: fc.constantFrom('T', 'D', 'E', 'C', 'Z', 'R', 'S', 'x'),
      content: fc.uint8Array({ maxLength: 60 }),
    });
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 20 }), (messages) => {
        const reply = new StatementReply();
        for (const each of messages) {
          reply.take(each);
          readStartupStep(each);
          readServerFailure(each.content);
        }
      }),
    );
  });
});

describe('a login', () => {
  test('begins with the user, the database and settings that convert no text', () => {
    const text = Buffer.from(startupOf('bulkhead-db')).toString('latin1');
    assert.match(text, /user\0bulkhead-db\0database\0postgres\0client_encoding\0SQL_ASCII\0/);
    assert.ok(text.endsWith('\0\0'));
  });

  test('reads each request, and refuses other ways', () => {
    const step = (...parts: readonly (number | string)[]) =>
      readStartupStep(message('R', ...parts));
    assert.deepEqual(step(0, 0, 0, 0), { ok: true, value: { kind: 'wait' } });
    assert.ok(step(0, 0, 0, 5, 1, 2, 3, 4).ok);
    assert.deepEqual(step(0, 0, 0, 10, 'SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0'), {
      ok: true,
      value: { kind: 'scram' },
    });
    for (const other of [
      [0, 0, 0, 3],
      [0, 0, 0, 7],
      [0, 0, 0, 10, 'OTHER\0\0'],
      [0, 0, 0, 5, 1],
      [0],
    ])
      assert.equal(step(...other).ok, false);
    const version = readStartupStep(message('S', 'server_version\x0017.2\0'));
    assert.deepEqual(version, { ok: true, value: { kind: 'version', version: '17.2' } });
  });

  // The example of RFC 7677, whose user is in the first message; PostgreSQL's is empty there.
  test('proves a password, and wants a proof of the server', () => {
    const server = 'r=abcXYZ,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096';
    const scram = new Scram('pencil', 'abc');
    assert.equal(scram.first, 'n,,n=,r=abc');
    assert.match(scram.answer(server) ?? '', /^c=biws,r=abcXYZ,p=[A-Za-z0-9+/]{43}=$/);
    for (const wrong of ['', 'v=', 'v=AAAA', 'e=other-error'])
      assert.equal(scram.accepts(wrong), false);
    for (const hostile of [
      'r=other,s=AAAA,i=4096',
      'r=abc,s=AAAA,i=4096',
      'r=abcX,s=AAAA,i=0',
      'r=abcX,s=AAAA,i=999999999',
      'r=abcX,s=AAAA,i=1e9',
      'anything',
    ])
      assert.equal(new Scram('pencil', 'abc').answer(hostile), undefined, hostile);
  });

  test('has the hashes that servers keep', () => {
    const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
    // The keys of RFC 7677's example.
    assert.equal(
      scramVerifier('pencil', salt),
      'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
    );
    assert.equal(md5Proof('u', 'p', Buffer.from('abcd')).length, 35);
  });
});

/**
 * The request that a real master's worker is serving, as evidence shows it; and scoreboards into which a tenant has
 * written.
 */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EvidenceReader } from '../../../src/host/evidence/evidence-reader.ts';
import { parseBoardNames, requestIn } from '../../../src/host/evidence/served-request.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { eventually } from '../../../testing/patience.ts';
import { skip } from './stage.ts';
import { WaitingMaster } from './waiting-master.ts';

const childrenOf = (pid: number): readonly number[] =>
  (readText(`/proc/${pid}/task/${pid}/children`) ?? '')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);

for (const manager of ['static', 'ondemand'] as const)
  test(
    `EvidenceReader reads the request that a worker serves, with pm = ${manager}`,
    { skip },
    async () => {
      await using master = new WaitingMaster({ manager, workers: 3 });
      const { pid, script: file } = master;
      const ask = (method: string, query: string) =>
        master.ask(query, {
          SCRIPT_NAME: '/shop/slow.php',
          REQUEST_URI: `/shop/slow.php?${query}`,
          REQUEST_METHOD: method,
        });
      using reader = new EvidenceReader('/proc');
      const read = async () => {
        const found = await reader.read(
          [{ member: 'u64430', pids: [pid, ...childrenOf(pid)] }],
          50,
        );
        return found.flatMap(({ request }) => request ?? []);
      };
      await master.listens();
      await ask('GET', '');
      assert.deepEqual(await read(), []);
      const serving = (number: number) =>
        eventually(`${number} are served`, async () => {
          const all = await read();
          return all.length === number && all.every(({ seconds }) => seconds > 0) ? all : undefined;
        });
      const first = ask('GET', 'wait=1&password=secret');
      // php-fpm starts no worker for a request while another one waits for one.
      await serving(1);
      const asked = [first, ask('HEAD', 'wait=1')];
      const served = await serving(2);
      assert.deepEqual(served.map(({ method }) => method).sort(), ['GET', 'HEAD']);
      for (const { path, script, seconds } of served) {
        assert.deepEqual([path, script], ['/shop/slow.php', file]);
        assert.ok(seconds < 3600);
      }
      assert.doesNotMatch(JSON.stringify(served), /secret/);
      master.open();
      await Promise.all(asked);
      await eventually('none is served', async () => (await read()).length === 0);
    },
  );

interface Slot {
  readonly pid?: number;
  readonly stage?: number;
  readonly uri?: string;
  readonly method?: string;
  readonly script?: string;
  readonly accepted?: number;
}

/** Returns a slot in php-fpm's format, without the fields before the process id. */
function slotOf(slot: Slot = {}): Buffer {
  const { pid = 7, stage = 4, uri = '/a.php', method = 'GET', script = '/srv/a.php' } = slot;
  const bytes = Buffer.alloc(1_040);
  bytes.writeUInt32LE(pid, 0);
  bytes.writeUInt32LE(stage, 16);
  bytes.writeBigInt64LE(BigInt(slot.accepted ?? 90), 24);
  bytes.writeBigInt64LE(500_000n, 32);
  bytes.write(uri, 80, 128);
  bytes.write('password=secret', 208);
  bytes.write(method, 720, 16);
  bytes.write(script, 744, 256);
  return bytes;
}

test("requestIn() returns the request in the process's slot, unless it is over", () => {
  const board = Buffer.concat([slotOf({ pid: 6, uri: '/b.php' }), slotOf()]);
  const request = { method: 'GET', path: '/a.php', script: '/srv/a.php', seconds: 9.5 };
  assert.deepEqual(requestIn(board, 7, 100), request);
  assert.equal(requestIn(board, 6, 100)?.path, '/b.php');
  assert.equal(requestIn(board, 5, 100), undefined);
  for (const stage of [0, 1, 2, 6, 2 ** 31])
    assert.equal(requestIn(slotOf({ stage }), 7, 100), undefined, String(stage));
});

test('requestIn() bounds and cleans what a tenant wrote into the scoreboard', () => {
  const hostile = slotOf({ uri: `/\u001b[2J${'x'.repeat(200)}`, script: 'y'.repeat(400) });
  const { path = '', script = '' } = requestIn(hostile, 7, 100) ?? {};
  assert.ok(path.startsWith(String.raw`/\u{1b}[2Jxxx`) && path.length < 140, path);
  assert.equal(script, 'y'.repeat(256));
  assert.equal(requestIn(slotOf({ uri: '/a?pw=1' }), 7, 100)?.path, '/a');
  assert.equal(requestIn(slotOf({ method: 'a b' }), 7, 100), undefined);
  assert.equal(requestIn(slotOf({ accepted: 5_000 }), 7, 100)?.seconds, 0);
  // Slots of every length, and with a process id in every place.
  for (const length of [0, 7, 8, 100, 999, 1_000])
    assert.equal(
      requestIn(slotOf().subarray(0, length), 7, 100)?.path,
      length < 1_000 ? undefined : '/a.php',
    );
  const many = Buffer.alloc(4 * 2 ** 20);
  for (let at = 0; at < many.length; at += 8) many[at] = 7;
  assert.equal(requestIn(many, 7, 100), undefined);
});

test('requestIn() returns undefined when the process id is all over the scoreboard', () => {
  const other = Buffer.concat(Array.from({ length: 500 }, () => slotOf({ stage: 1 })));
  assert.equal(requestIn(Buffer.concat([other, slotOf()]), 7, 100)?.path, '/a.php');
  const many = [other, other, other, other];
  assert.equal(requestIn(Buffer.concat([...many, slotOf()]), 7, 100), undefined);
  // Also where it is between the places at which a slot may begin.
  const shifted = Buffer.concat([Buffer.alloc(4), ...many, Buffer.alloc(4), slotOf()]);
  assert.equal(requestIn(shifted, 7, 100), undefined);
});

test('parseBoardNames() returns small shared anonymous memory, and no file', () => {
  const line = (range: string, mode = 'rw-s', device = '00:01', path = '/dev/zero (deleted)') =>
    `${range} ${mode} 00000000 ${device} 6347                       ${path}\n`;
  const board = '7fac2a52e000-7fac2a52f000';
  assert.deepEqual(parseBoardNames(line(board)), [board]);
  for (const other of [
    line('55df30000000-55df38000000'),
    line(board, 'rw-p'),
    line(board, 'rw-s', '00:2a'),
    line(board, 'rw-s', '00:01', '/tmp/dev/zero (deleted)'),
    line(board, 'rw-s', '00:01', '/dev/zero (deleted) (deleted)'),
    '',
  ])
    assert.deepEqual(parseBoardNames(other), [], other);
  const many = Array.from({ length: 100 }, (_, at) =>
    line(`${(at + 16) * 10}00-${(at + 16) * 10}ff`),
  );
  assert.equal(parseBoardNames(many.join('')).length, 4);
});

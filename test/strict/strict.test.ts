import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entriesOf } from '../../src/strict/core/strict-rule.ts';
import {
  parseStrictEvent,
  strictEventBytes,
  strictEventText,
} from '../../src/strict/core/strict-event.ts';

test('what the kernel is told', () => {
  const rule = {
    placement: 'watch',
    modules: 'on',
    places: [{ uid: 1001, parent: 0x1_0000_0002n, level: 1, name: 'u1001' }],
    ranges: [{ first: 100_000, last: 165_535, owner: 1001 }],
  } as const;
  const entries = entriesOf(rule, 7).map(({ map, key, value }) => [
    map,
    key.toHex(),
    value.toHex(),
  ]);
  assert.deepEqual(entries, [
    ['settings', '00000000', '020000000100000001000000'],
    ['tenants', 'e9030000', `0200000001000000010000007531303031${'00'.repeat(39)}`],
    ['tenants', '07000000', `${'00'.repeat(8)}ffffffff${'00'.repeat(44)}`],
    ['ranges', '00000000', 'a086010000000100e9030000'],
  ]);
});

test('what it tells', () => {
  const bytes = new Uint8Array(strictEventBytes);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, 5n, true);
  [12, 0, 100_000, 1001, 0, 1].forEach((value, index) =>
    view.setUint32(16 + 4 * index, value, true),
  );
  bytes.set(new TextEncoder().encode('cron\u001b'), 40);
  const event = parseStrictEvent(bytes);
  assert.ok(event);
  assert.equal(
    strictEventText({ ...event, command: 'cron' }),
    'cron (process 12) was not let become uid 100000, a subordinate one of uid 1001, outside of its cgroup; "bulkhead pam enable" places it',
  );
  assert.equal(event.command, 'cron\\u{1b}');
  assert.equal(parseStrictEvent(bytes.subarray(1)), undefined);
});

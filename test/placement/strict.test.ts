import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  placementMapEntries,
  placementSelfTestEntry,
} from '../../src/placement/core/strict-rule.ts';
import {
  adviceOn,
  groupEvents,
  strictEventText,
  type AdviceFacts,
  type KnownEvent,
} from '../../src/placement/core/event-text.ts';
import { parseStrictEvent, strictEventStruct } from '../../src/placement/core/strict-event.ts';

test('placementMapEntries() writes settings, tenants, the self-test and ranges as the programs read them', () => {
  const rule = {
    placement: 'watch',
    modules: 'on',
    places: [{ uid: 1001, parent: 0x1_0000_0002n, level: 1, name: 'u1001' }],
    ranges: [{ first: 100_000, last: 165_535, owner: 1001 }],
  } as const;
  const entries = [...placementMapEntries(rule), placementSelfTestEntry(7)].map(
    ({ map, key, value }) => [map, key.toHex(), value.toHex()],
  );
  assert.deepEqual(entries, [
    ['settings', '00000000', '020000000100000001000000'],
    ['tenants', 'e9030000', `0200000001000000010000007531303031${'00'.repeat(39)}`],
    ['ranges', '00000000', 'a086010000000100e9030000'],
    ['tenants', '07000000', `${'00'.repeat(8)}ffffffff${'00'.repeat(44)}`],
  ]);
});

const known = {
  pid: 12,
  parent: 11,
  from: 0,
  to: 1001,
  tenant: 1001,
  account: 'alice',
  what: 'uid',
  passed: false,
  command: 'cron',
  name: '',
  unit: 'cron.service',
} as const;

test('parseStrictEvent() reads an event, and rejects short ones and unknown kinds', () => {
  const bytes = new Uint8Array(strictEventStruct.size);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, 5n, true);
  [12, 0, 100_000, 1001, 0, 1, 11].forEach((value, index) =>
    view.setUint32(16 + 4 * index, value, true),
  );
  const put = (text: string, at: number) => bytes.set(new TextEncoder().encode(text), at);
  put('cron\u001b', 48);
  put('below', 96);
  put('cron.service', 96 + 64);
  put('system.slice', 96 + 2 * 64);
  const event = parseStrictEvent(bytes);
  assert.ok(event);
  assert.deepEqual([event.parent, event.unit], [11, 'cron.service']);
  assert.equal(event.command, 'cron\\u{1b}');
  assert.equal(parseStrictEvent(bytes.subarray(1)), undefined);
  view.setUint32(32, 3, true);
  assert.equal(parseStrictEvent(bytes), undefined);
});

test('strictEventText() names the process, the uid and what would place it', () => {
  const advice = '"bulkhead pam enable" places it';
  assert.equal(
    strictEventText({ ...known, advice }),
    'cron (pid 12, cron.service) was refused uid 1001 (alice): it is outside that tenant\'s cgroup; "bulkhead pam enable" places it',
  );
  assert.equal(
    strictEventText({ ...known, to: 100_000, passed: true }),
    "cron (pid 12, cron.service) would be refused uid 100000, a subordinate uid of uid 1001 (alice): it is outside that tenant's cgroup",
  );
  assert.equal(
    strictEventText({ ...known, what: 'setuid', name: 'tool', command: 'apache2', unit: '' }),
    'apache2 (pid 12) was refused to run "tool" with effective uid 1001 (alice): it is outside that tenant\'s cgroup',
  );
  assert.equal(
    strictEventText({ ...known, what: 'module', name: 'net-pf-2', command: 'perl' }),
    'perl (pid 12, cron.service) was refused the kernel module "net-pf-2", asked for by uid 1001 (alice)',
  );
});

test('adviceOn() depends on the program, its unit and the host', () => {
  const host = { stepIsOn: false, isSlice: true };
  const advice = (event: Partial<KnownEvent>, facts: Partial<AdviceFacts> = {}) =>
    adviceOn({ ...known, ...event }, { ...host, ...facts }) ?? '';
  assert.match(advice({ command: 'sshd-session' }), /^"bulkhead pam enable" places it$/);
  assert.match(advice({ command: 'su' }, { stepIsOn: true }), /journalctl -g pam_bulkhead/);
  const stepFailure = 'systemd did not make bulkhead-1001.scope within 120 s';
  assert.equal(advice({}, { stepIsOn: true, stepFailure }), stepFailure);
  assert.match(advice({ command: 'runuser' }), /^"bulkhead exec alice -- …", instead of runuser,/);
  assert.match(advice({ command: 'php-fpm8.4' }), /web fpm enable/);
  const unit = { command: '(python3)', unit: 'bob-app.service' };
  assert.match(advice(unit), /^Slice=user-1001\.slice in bob-app\.service places it$/);
  assert.match(advice(unit, { isSlice: false }), /^ExecStart=bulkhead exec alice -- … in bob-app/);
  assert.match(
    advice({ command: '(systemd)', unit: 'user@1001.service' }),
    /systemctl mask user@1/,
  );
  assert.match(advice({ what: 'setuid', name: 'tool' }), /chmod u-s.*"tool"/);
  assert.match(advice({ command: 'exim4' }), /^"bulkhead exec alice -- …" places it$/);
  assert.equal(advice({ what: 'module' }), '');
});

test('groupEvents() counts events that differ only in pid and unit number', () => {
  const groups = groupEvents([
    { ...known, pid: 1, unit: 'session-3.scope' },
    { ...known, pid: 2, command: 'su' },
    { ...known, pid: 3, unit: 'session-4.scope' },
  ]);
  assert.deepEqual(
    groups.map(({ last, times }) => [last.pid, times]),
    [
      [2, 1],
      [3, 2],
    ],
  );
});

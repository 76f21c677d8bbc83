import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  programMapEntries,
  isJailed,
  jailSelfTestEntry,
} from '../../../src/jail/core/program-maps.ts';
import {
  parseJailRefusal,
  refusalStruct,
  formatJailRefusal,
} from '../../../src/jail/core/refusal.ts';
import { jailSelfTestUid } from '../../../src/jail/io/self-test.ts';

/** Returns an event as bpf/jail.bpf.c writes it. */
function eventOf(what: number, name = ''): Uint8Array {
  const bytes = new Uint8Array(refusalStruct.size);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, 7n, true);
  for (const [index, word] of [1001, what, 12, 34, 1002].entries())
    view.setUint32(8 + 4 * index, word, true);
  new TextEncoder().encodeInto('nosy', bytes.subarray(32, 48));
  new TextEncoder().encodeInto(name, bytes.subarray(48, 80));
  return bytes;
}

test('parseJailRefusal() reads events of the BPF programs', () => {
  assert.deepEqual(parseJailRefusal(eventOf(1, 'x11')), {
    total: 7,
    tenant: 1001,
    what: 'socket',
    pid: 12,
    other: 34,
    otherUid: 1002,
    program: 'nosy',
    name: 'x11',
  });
});

test('parseJailRefusal() returns undefined for a short record or an unknown kind', () => {
  assert.equal(parseJailRefusal(eventOf(0).subarray(1)), undefined);
  assert.equal(parseJailRefusal(eventOf(9)), undefined);
});

test('formatJailRefusal() names the program that was not started', () => {
  const refusal = parseJailRefusal(eventOf(4, '/home/alice/x'));
  assert.ok(refusal);
  assert.equal(formatJailRefusal(refusal), 'tried to run "/home/alice/x" outside its jail');
});

test('programMapEntries() pads program names with zeros, and has none that changes the user', () => {
  const entries = programMapEntries({ uids: [], onlySites: new Set(), host: 7 });
  const names = entries.flatMap(({ map, key }) =>
    map === 'programs' ? [Buffer.from(key).toString('latin1')] : [],
  );
  assert.ok(names.includes('exim4'.padEnd(16, '\0')));
  for (const name of names) assert.match(name, /^[a-z0-9_-]+\0+$/);
  for (const name of ['su', 'sudo', 'mount', 'pkexec'])
    assert.ok(!names.includes(name.padEnd(16, '\0')), name);
});

test('programMapEntries() encodes the device as the kernel does, and splits the inode', () => {
  const programs = { device: { major: 8, minor: 3 }, inode: 0x1_0000_0002n };
  const [settings] = programMapEntries({ uids: [], onlySites: new Set(), host: 7, programs });
  const view = new DataView(settings!.value.buffer);
  assert.deepEqual(
    [0, 4, 8, 12].map((at) => view.getUint32(at, true)),
    [7, (8 << 20) + 3, 2, 1],
  );
});

test('formatJailRefusal() escapes control characters in a name that a tenant chose', () => {
  const refusal = parseJailRefusal(eventOf(1, 'a\u{1b}[2J'));
  assert.ok(refusal);
  assert.equal(
    formatJailRefusal(refusal),
    String.raw`tried to reach the abstract socket "a\u{1b}[2J" of uid 1002`,
  );
  const other = parseJailRefusal(eventOf(0));
  assert.ok(other);
  assert.equal(
    formatJailRefusal(other),
    'tried to look into process 34, which is in another view of the host',
  );
});

test("jailSelfTestEntry() differs from tenants', and jailSelfTestUid() between generations", () => {
  const rule = { uids: [1001, 1002], onlySites: new Set([1002]), host: 4_026_531_841 };
  const entries = [
    ...programMapEntries(rule),
    jailSelfTestEntry(jailSelfTestUid('0mwxl3y0q-2c50')),
  ];
  assert.deepEqual(
    entries
      .filter(({ map }) => map !== 'programs')
      .map(({ map, value }) => [map, new DataView(value.buffer).getUint32(0, true)]),
    [
      ['settings', 4_026_531_841],
      ['tenants', 0],
      ['tenants', 2],
      ['tenants', 1],
    ],
  );
  assert.deepEqual(
    entries.slice(1, 3).map(({ value }) => isJailed(value)),
    [true, false],
  );
  const uids = ['0mwxl3y0q-2c50', '0mwxl3y0r-2c50'].map(jailSelfTestUid);
  assert.notEqual(uids[0], uids[1]);
  for (const uid of uids) assert.ok(uid >= 0xffe0_0000 && uid < 0xfff0_0000);
});

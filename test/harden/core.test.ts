/** Judging settings, reading sysctl.d, and planning what is changed. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { hostItems, type HardenFacts } from '../../src/harden/core/host-items.ts';
import { judgeSettings } from '../../src/harden/core/judge.ts';
import { defaultHardenSettings, planHarden, planUndo } from '../../src/harden/core/plan.ts';
import { parseRecord, formatRecord } from '../../src/harden/core/record.ts';
import { settingOf, settings } from '../../src/harden/core/settings.ts';
import { isOurSysctlFile, laterLine, parseSysctlFile } from '../../src/harden/core/sysctl-files.ts';

const reading = (values: Readonly<Record<string, string>>) => (key: string) => values[key];

test('settings are unique, accept the wanted value and reject open values', () => {
  assert.equal(new Set(settings.map((each) => each.item)).size, settings.length);
  assert.equal(new Set(settings.map((each) => each.key)).size, settings.length);
  for (const each of settings) assert.ok(each.isGood(each.wanted), each.key);
  const open = { ptrace: 0, bpf: 0, perf: -1, tiocsti: 1, 'suid-dumpable': 1, 'mmap-min': 4096 };
  for (const [item, value] of Object.entries(open))
    assert.ok(!settingOf(item)?.isGood(value), item);
});

test('judgeSettings() is never good when the kernel lacks a setting', () => {
  for (const each of judgeSettings(() => undefined)) assert.equal(each.verdict, 'unavailable');
  for (const each of judgeSettings(() => 'garbage\n')) assert.equal(each.verdict, 'lacking');
});

test('judgeSettings() reports a setting as covered when another one has its effect', () => {
  const items = judgeSettings(
    reading({
      'kernel.unprivileged_userns_clone': '0\n',
      'user.max_user_namespaces': '96365\n',
    }),
  );
  const verdicts = Object.fromEntries(items.map((each) => [each.item, each.verdict]));
  assert.equal(verdicts['userns-clone'], 'good');
  assert.equal(verdicts['userns-max'], 'covered');
  assert.equal(verdicts['userns-apparmor'], 'unavailable');
});

test('parseSysctlFile() reads keys with dots and with slashes', () => {
  const text = [
    '# a.b = 1',
    '; a.b = 2',
    ' kernel.dmesg_restrict = 1 ',
    '-fs/protected_fifos=2',
    'net/ipv4/conf/eth0.1/forwarding = 1',
    '-net.ipv4.conf.*.rp_filter',
    'a line',
  ].join('\n');
  assert.deepEqual(
    parseSysctlFile({ path: '/x', text }).map(({ line, key, value }) => [line, key, value]),
    [
      [3, 'kernel.dmesg_restrict', '1'],
      [4, 'fs.protected_fifos', '2'],
      [5, 'net.ipv4.conf.eth0/1.forwarding', '1'],
    ],
  );
});

test('laterLine() returns the last line that overrides ours', () => {
  const ours = '/etc/sysctl.d/90-bulkhead.conf';
  const file = (path: string, text: string) => ({ path, text });
  const key = 'kernel.dmesg_restrict';
  const files = [
    file('/etc/sysctl.d/10-first.conf', `${key}=0`),
    file('/usr/lib/sysctl.d/95-x.conf', '# nothing\nkernel/dmesg_restrict=0'),
    file('/etc/sysctl.d/99-y.conf', 'kernel.*_restrict = 0'),
  ];
  assert.equal(laterLine(key, ours, files.slice(0, 1)), undefined);
  assert.equal(laterLine(key, ours, files.slice(0, 2))?.line, 2);
  assert.equal(laterLine(key, ours, files)?.path, '/etc/sysctl.d/99-y.conf');
  const conf = [...files, file('/etc/sysctl.conf', `${key} = 0`)];
  assert.equal(laterLine(key, ours, conf)?.path, '/etc/sysctl.conf');
  assert.equal(laterLine('fs.protected_fifos', ours, conf), undefined);
});

test('planHarden() changes values that are not good, and records the earlier ones', () => {
  const read = reading({
    'fs.protected_symlinks': '0\n',
    'fs.protected_hardlinks': '1\n',
    'kernel.dmesg_restrict': '0\n',
  });
  const { values, record, text } = planHarden(defaultHardenSettings, read, []);
  assert.deepEqual(values, [
    { key: 'fs.protected_symlinks', from: '0', to: '1' },
    { key: 'kernel.dmesg_restrict', from: '0', to: '1' },
  ]);
  assert.deepEqual(record, [
    { key: 'fs.protected_symlinks', before: '0', set: '1' },
    { key: 'kernel.dmesg_restrict', before: '0', set: '1' },
  ]);
  assert.ok(text !== undefined && isOurSysctlFile(text));
  assert.match(text, /\nfs\.protected_symlinks = 1\nkernel\.dmesg_restrict = 1\n$/);
});

test('planHarden() changes nothing when all is set, and completes a run that was cut off', () => {
  const record = [
    { key: 'fs.protected_symlinks', before: '0', set: '1' },
    { key: 'kernel.io_uring_disabled', before: '0', set: '1' },
  ];
  const done = reading({ 'fs.protected_symlinks': '1', 'kernel.io_uring_disabled': '2' });
  assert.deepEqual(planHarden(defaultHardenSettings, done, record).values, []);
  const half = reading({ 'fs.protected_symlinks': '1', 'kernel.io_uring_disabled': '0' });
  const plan = planHarden(defaultHardenSettings, half, record);
  assert.deepEqual(plan.values, [{ key: 'kernel.io_uring_disabled', from: '0', to: '1' }]);
  assert.deepEqual(plan.record, record);
});

test('planUndo() keeps values that somebody else has set since', () => {
  const record = [
    { key: 'fs.protected_symlinks', before: '0', set: '1' },
    { key: 'fs.protected_fifos', before: '0', set: '2' },
    { key: 'kernel.dmesg_restrict', before: '0', set: '1' },
  ];
  const read = reading({
    'fs.protected_symlinks': '1',
    'fs.protected_fifos': '1',
    'kernel.dmesg_restrict': '1',
  });
  const all = planUndo(record, read, undefined);
  assert.deepEqual(all.values, [
    { key: 'fs.protected_symlinks', from: '1', to: '0' },
    { key: 'kernel.dmesg_restrict', from: '1', to: '0' },
  ]);
  assert.equal(all.text, undefined);
  assert.equal(all.notes.length, 1);
  const one = planUndo(record, read, new Set(['fs.protected_symlinks']));
  assert.deepEqual(one.record, record.slice(1));
  assert.match(one.text ?? '', /protected_fifos = 2\nkernel/);
});

test('parseRecord() accepts what formatRecord() wrote, and rejects other keys and values', () => {
  const record = [{ key: 'fs.protected_symlinks', before: '0', set: '1' }];
  assert.deepEqual(parseRecord(formatRecord(record)), { ok: true, value: record });
  for (const bad of [
    '',
    'null',
    '[]',
    '{"version":2,"values":[]}',
    formatRecord([{ key: 'kernel.core_pattern', before: '0', set: '1' }]),
    formatRecord([{ key: '../../etc/passwd', before: '0', set: '1' }]),
    formatRecord([{ key: 'fs.protected_symlinks', before: '|/tmp/x', set: '1' }]),
    formatRecord([{ key: 'fs.protected_symlinks', before: '0\n1', set: '1' }]),
  ])
    assert.equal(parseRecord(bad).ok, false, bad);
});

const safe: HardenFacts = {
  procOptions: ['rw', 'hidepid=invisible'],
  hasLogind: true,
  hasPolkit: false,
  subordinate: [],
  homes: [{ user: 'alice', path: '/home/alice', permissions: 0o711 }],
  setuidHomes: [],
  signatures: 'Y\n',
  modulesDisabled: '1\n',
  lockdown: 'none [integrity] confidentiality\n',
  setIdPrograms: [],
};
const verdicts = (facts: HardenFacts) =>
  Object.fromEntries(hostItems(facts).map((each) => [each.item, each.verdict]));

test('hostItems() is good for a host that has every protection', () => {
  assert.deepEqual(verdicts(safe), {
    hidepid: 'good',
    'subordinate-uids': 'good',
    homes: 'good',
    'nosuid-homes': 'good',
    'sig-enforce': 'good',
    'modules-disabled': 'good',
    lockdown: 'good',
    'set-id-programs': 'state',
  });
});

test('hostItems() is lacking, unavailable or state for a host without protections', () => {
  const open: HardenFacts = {
    procOptions: ['rw'],
    hasLogind: false,
    hasPolkit: false,
    subordinate: ['alice'],
    homes: [{ user: 'alice', path: '/home/alice', permissions: 0o755 }],
    setuidHomes: ['/', '/home'],
    signatures: undefined,
    modulesDisabled: undefined,
    lockdown: undefined,
    setIdPrograms: ['su'],
  };
  assert.deepEqual(verdicts(open), {
    hidepid: 'lacking',
    'subordinate-uids': 'lacking',
    homes: 'lacking',
    'nosuid-homes': 'lacking',
    'sig-enforce': 'unavailable',
    'modules-disabled': 'unavailable',
    lockdown: 'unavailable',
    'set-id-programs': 'state',
  });
  const [, , , nosuid] = hostItems(open);
  assert.match(nosuid?.remark ?? '', /remount,nosuid \/home;/);
  assert.equal(verdicts({ ...open, setuidHomes: ['/'] })['nosuid-homes'], 'state');
  const withLogind = hostItems({ ...open, hasLogind: true, hasPolkit: true })[0];
  assert.equal(withLogind?.verdict, 'state');
  assert.match(withLogind?.remark ?? '', /systemd-logind and polkit/);
});

test('the documentation lists every setting of harden', () => {
  const page = readFileSync(new URL('../../docs/harden.md', import.meta.url), 'utf8');
  for (const { item, key, byDefault, good } of settings) {
    const line = page
      .split('\n')
      .find((each) => each.includes(`\`${key}\``) && each.startsWith('| '));
    assert.ok(line?.startsWith(`| \`${item}\`${byDefault ? ' ' : ' (named only)'}`), item);
    assert.ok(line?.includes(`| ${good} `), item);
  }
});

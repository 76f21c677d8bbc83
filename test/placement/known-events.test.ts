/** Events of strict placement get names of tenants, advice, and a text. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, suite, test } from 'node:test';
import { pathsOf, type Paths } from '../../src/host/paths.ts';
import {
  adviceOn,
  groupEvents,
  strictEventText,
  type KnownEvent,
} from '../../src/placement/core/event-text.ts';
import type { StrictEvent } from '../../src/placement/core/strict-event.ts';
import { knownEvents } from '../../src/placement/io/known-events.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const raw: StrictEvent = {
  nanoseconds: process.hrtime.bigint(),
  cgroup: 5n,
  pid: 300,
  parent: 299,
  from: 0,
  to: 1001,
  tenant: 1001,
  what: 'uid',
  passed: false,
  command: 'cron',
  name: '',
  unit: 'cron.service',
};

suite('knownEvents()', () => {
  const root = suiteDirectory('placement-events');
  const paths: Paths = { ...pathsOf(), etc: join(root, 'etc'), runtime: join(root, 'run') };
  const put = (path: string, text: string) => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const adviceFor = (more: Partial<StrictEvent> = {}) =>
    knownEvents([{ ...raw, ...more }], paths)[0]?.advice;

  beforeEach(() => {
    for (const each of ['etc', 'run']) rmSync(join(root, each), { recursive: true, force: true });
    put('etc/passwd', 'alice:x:1001:1001::/home/alice:/bin/sh\n');
  });

  test('adds the account and the time, and drops fields that only the kernel needs', () => {
    const [known] = knownEvents([raw], paths);
    assert.equal(known?.account, 'alice');
    assert.ok(Math.abs(Date.parse(known?.at ?? '') - Date.now()) < 3_600_000, known?.at);
    assert.ok(known !== undefined && !('nanoseconds' in known) && !('cgroup' in known));
    assert.equal('account' in (knownEvents([{ ...raw, tenant: 5000 }], paths)[0] ?? {}), false);
    assert.deepEqual(knownEvents([], paths), []);
  });

  test('proposes the session step only where PAM does not run it', () => {
    assert.equal(adviceFor(), '"bulkhead pam enable" places it');
    put('etc/pam.d/common-session', '# session optional /usr/lib/pam_bulkhead.so place\n');
    assert.equal(adviceFor(), '"bulkhead pam enable" places it', 'it is a comment');
    put('etc/pam.d/common-session', 'session optional /usr/lib/pam_bulkhead.so place\n');
    assert.match(adviceFor() ?? '', /^the PAM module did not place it/);
    rmSync(join(root, 'etc/pam.d/common-session'));
    put('etc/pam.d/system-auth', 'a\nsession optional /usr/lib/pam_bulkhead.so place systemd\n');
    assert.match(adviceFor() ?? '', /^the PAM module did not place it/);
  });

  test('proposes a slice only to a tenant that has one', () => {
    const unit = { command: '(app)', unit: 'app.service' };
    assert.match(adviceFor(unit) ?? '', /^ExecStart=bulkhead exec alice/);
    put('etc/systemd/system/user-1001.slice.d/90-bulkhead.conf', '');
    assert.equal(adviceFor(unit), 'Slice=user-1001.slice in app.service places it');
    assert.match(adviceFor({ ...unit, tenant: 1002 }) ?? '', /^ExecStart=/);
  });

  test("reports the session step's own failure, of the process or of its parent", () => {
    // The records are a ring of 256 files: pid 300 is in file 44, and 299 in file 43.
    put('run/unplaced/44', '300 systemd did not answer\n');
    assert.equal(adviceFor(), 'systemd did not answer');
    rmSync(join(root, 'run/unplaced/44'));
    put('run/unplaced/43', '299 the cgroup is gone\n');
    assert.equal(adviceFor(), 'the cgroup is gone');
  });

  test('ignores a record of another process, from another time, or without an end of line', () => {
    const other = '"bulkhead pam enable" places it';
    put('run/unplaced/44', '556 systemd did not answer\n');
    assert.equal(adviceFor(), other, 'pid 556 has the same file');
    put('run/unplaced/44', '300 systemd did not ans');
    assert.equal(adviceFor(), other, 'no end of line');
    put('run/unplaced/44', '300 systemd did not answer\n');
    const hourAgo = Date.now() / 1000 - 3600;
    utimesSync(join(root, 'run/unplaced/44'), hourAgo, hourAgo);
    assert.equal(adviceFor(), other, 'an hour before');
  });

  test('makes a record printable', () => {
    put('run/unplaced/44', '300 no\u001b[31m answer\n');
    assert.equal(adviceFor(), 'no\\u{1b}[31m answer');
  });

  test('gives the default advice when passwd dangles and there is no runtime directory', () => {
    rmSync(join(root, 'etc'), { recursive: true });
    mkdirSync(join(root, 'etc'));
    symlinkSync('nowhere', join(root, 'etc/passwd'));
    const [known] = knownEvents([raw], paths);
    assert.deepEqual(
      [known?.account, known?.advice],
      [undefined, '"bulkhead pam enable" places it'],
    );
  });

  test('gives no advice about a module', () => {
    assert.equal(adviceFor({ what: 'module', name: 'net-pf-2' }), undefined);
  });
});

const { nanoseconds: _nanoseconds, cgroup: _cgroup, ...known } = raw;
const event: KnownEvent = { ...known, account: 'alice' };

suite('adviceOn()', () => {
  const facts = { stepIsOn: false, isSlice: true };
  const advice = (more: Partial<KnownEvent>) => adviceOn({ ...event, ...more }, facts);

  test('names the uid where the tenant has no account', () => {
    const { account: _account, ...nameless } = event;
    assert.equal(
      adviceOn({ ...nameless, command: 'exim4' }, facts),
      '"bulkhead exec 1001 -- …" places it',
    );
  });

  test('treats a command as a session only if its whole name matches', () => {
    for (const command of ['sshd', 'su', 'sudo', 'cron', 'CRON', 'atd', 'login'])
      assert.equal(advice({ command }), '"bulkhead pam enable" places it', command);
    for (const command of ['sudoku', 'xsu', 'cron2', 'sshd-x'])
      assert.match(advice({ command }) ?? '', /^"bulkhead exec alice/, command);
  });

  test('treats a name in parentheses as systemd only in a service or scope', () => {
    assert.match(advice({ command: '(app)', unit: 'app.scope' }) ?? '', /^Slice=/);
    assert.match(advice({ command: '(app)', unit: 'user.slice' }) ?? '', /^"bulkhead exec alice/);
    assert.match(advice({ command: '(app)', unit: '' }) ?? '', /^"bulkhead exec alice/);
  });
});

suite('strictEventText() and groupEvents()', () => {
  test('strictEventText() returns one printable line for any stored event', () => {
    const text = strictEventText({ ...event, command: 'a\nb', unit: '\u001b]0;x\u0007' });
    assert.equal(
      text,
      "a\\u{a}b (pid 300, \\u{1b}]0;x\\u{7}) was refused uid 1001 (alice): it is outside that tenant's cgroup",
    );
  });

  test('groupEvents() groups events that differ only in pids and unit numbers', () => {
    const times = (...events: readonly Partial<KnownEvent>[]) =>
      groupEvents(events.map((each) => ({ ...event, ...each }))).map((group) => group.times);
    assert.deepEqual(times({}, { pid: 9 }, { parent: 8 }), [3]);
    assert.deepEqual(times({ unit: 'run-12.scope' }, { unit: 'run-7.scope' }), [2]);
    for (const other of [
      { to: 100_000 },
      { tenant: 1002 },
      { what: 'setuid' },
      { passed: true },
      { name: 'tool' },
      { advice: 'other' },
      { unit: 'at.service' },
    ] as const)
      assert.deepEqual(times({}, other), [1, 1], JSON.stringify(other));
  });

  test('groupEvents() puts the group with the latest event last', () => {
    const groups = groupEvents([
      { ...event, command: 'su' },
      { ...event, command: 'cron' },
      { ...event, command: 'su' },
    ]);
    assert.deepEqual(
      groups.map(({ last, times }) => [last.command, times]),
      [
        ['cron', 1],
        ['su', 2],
      ],
    );
  });
});

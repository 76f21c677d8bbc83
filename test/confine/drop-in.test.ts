/** Drop-ins with sandboxes, their refusals, and what is in force. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { assignmentsOf, dropInText, dropInState } from '../../src/confine/core/drop-in.ts';
import { isSandboxInForce } from '../../src/confine/core/in-force.ts';
import { learned } from '../../src/confine/core/common.ts';
import {
  hidden,
  line,
  pathWord,
  prepare,
  reset,
  writable,
  type Line,
} from '../../src/confine/core/line.ts';
import { profileOf, whyNot } from '../../src/confine/core/profiles.ts';
import { facts } from './service-lines.ts';

suite('learned()', () => {
  const paths = (written: readonly string[], lines: readonly Line[] = []) =>
    learned({ ...facts, written, homes: ['/home', '/srv/customers'] }, lines).map(
      ({ value }) => value,
    );

  test('opens each directory of a file once, in order', () => {
    assert.deepEqual(paths(['/data/b/x', '/data/a/y', '/data/b/z']), ['-/data/a', '-/data/b']);
  });

  test('opens only the file when its directory is too wide', () => {
    for (const file of [
      '/x',
      '/etc/x',
      '/usr/lib/x',
      '/var/lib/x',
      '/var/run/x',
      '/usr/local/x',
      '/opt/x',
      '/srv/x',
      '/boot/x',
      '/run/x',
      '/var/x',
      '/root/x',
    ])
      assert.deepEqual(paths([file]), [`-${file}`], file);
    assert.deepEqual(paths(['/var/lib/own/x']), ['-/var/lib/own']);
  });

  test('opens all homes for a file in a home, as a tenant can replace its directories', () => {
    assert.deepEqual(paths(['/home/alice/logs/access.log']), ['-/home']);
    assert.deepEqual(paths(['/srv/customers/bob/x']), ['-/srv/customers']);
    assert.deepEqual(paths(['/homes/x/y']), ['-/homes/x'], 'another directory');
  });

  test('adds nothing for paths that are already or always writable', () => {
    const lines = [writable(['/data'], ''), writable(['/run/x.pid'], '')];
    assert.deepEqual(
      paths(['/data/a/b', '/run/x.pid', '/dev/shm/x', '/proc/x', '/tmp/x', '/var/tmp/x'], lines),
      [],
    );
    assert.deepEqual(paths(['/database/x'], lines), ['-/database']);
  });
});

suite('whyNot() and profileOf()', () => {
  test('whyNot() refuses every service that starts sessions, and no similar name', () => {
    for (const name of ['ssh', 'sshd', 'cron', 'crond', 'anacron', 'atd', 'at', 'systemd-logind'])
      assert.match(whyNot(name)?.reason ?? '', /would inherit its sandbox/, name);
    assert.equal(whyNot('sshguard'), undefined);
  });

  test('profileOf() knows no hostile or similar name', () => {
    for (const name of [
      '',
      '../nginx',
      'nginx\n',
      'nginx.service',
      'php-8.4-fpm',
      'php8-fpm',
      'php8.4-fpm.x',
      '__proto__',
    ])
      assert.equal(profileOf(name), undefined, JSON.stringify(name));
  });
});

suite('dropInText() and dropInState()', () => {
  const digest = (text: string) => String(text.length);
  const text = dropInText(
    'nginx',
    [
      reset('SystemCallFilter'),
      line('SystemCallFilter', '@a', 'calls'),
      line('PrivateTmp', 'yes', 'tmp'),
    ],
    digest,
  );

  test('dropInText() writes one reason for a reset and its assignment', () => {
    assert.equal(
      text,
      `# Written by "bulkhead confine enable nginx"; "bulkhead confine disable nginx" removes it.
# Your own settings belong in another file beside it, which systemd reads later: 60-local.conf
# sha256 of the rest: 77
[Service]
# calls
SystemCallFilter=
SystemCallFilter=@a
# tmp
PrivateTmp=yes
`,
    );
  });

  test('dropInState() is "changed" or "foreign" for an empty, cut or CRLF file', () => {
    assert.equal(dropInState('', digest), 'foreign');
    assert.equal(dropInState(text.split('\n', 1)[0], digest), 'changed');
    assert.equal(dropInState(text.replaceAll('\n', '\r\n'), digest), 'changed');
    assert.equal(dropInState(` ${text}`, digest), 'foreign');
  });

  test('assignmentsOf() splits at the first "=", and skips comments and sections', () => {
    assert.deepEqual(assignmentsOf('[Service]\n# A=1\nB=\nC=x=y\n;D=1\nE'), [
      ['B', ''],
      ['C', 'x=y'],
      [';D', '1'],
    ]);
  });
});

suite('pathWord(), hidden() and prepare()', () => {
  test('pathWord() escapes specifiers, separators and backslashes for systemd', () => {
    assert.equal(pathWord('/srv/%h'), '-/srv/%%h');
    assert.equal(pathWord('/srv/a\tb'), '"-/srv/a\tb"');
    assert.equal(pathWord("/srv/it's"), '"-/srv/it\'s"');
    assert.equal(pathWord('/srv/a\\x20b'), '"-/srv/a\\\\x20b"');
    assert.equal(pathWord('/srv/plain', ''), '/srv/plain');
  });

  test('hidden() quotes paths with spaces', () => {
    assert.equal(hidden(['/a b', '/c'], '').value, '"-/a b" -/c');
  });

  test('prepare() returns a required line that runs as root and needs systemd 243', () => {
    assert.deepEqual(prepare('/usr/bin/touch /x', 'why'), {
      key: 'ExecCondition',
      value: '+/usr/bin/touch /x',
      why: 'why',
      since: 243,
      required: true,
    });
  });
});

suite('isSandboxInForce()', () => {
  const dropIn = 'CapabilityBoundingSet=\nCapabilityBoundingSet=CAP_CHOWN CAP_KILL\n';
  const status = (bounding: string, seccomp = 2) => `CapBnd:\t${bounding}\nSeccomp:\t${seccomp}\n`;

  test('accepts fewer capabilities with a filter, and rejects more', () => {
    assert.equal(isSandboxInForce(dropIn, status('0000000000000021')), true);
    assert.equal(isSandboxInForce(dropIn, status('0000000000000000')), true);
    assert.equal(isSandboxInForce(dropIn, status('0000000000000023')), false);
    assert.equal(isSandboxInForce(dropIn, status('000001ffffffffff')), false);
  });

  test('rejects a process in strict seccomp mode, and a truncated status', () => {
    assert.equal(isSandboxInForce(dropIn, status('0000000000000021', 1)), false);
    assert.equal(isSandboxInForce(dropIn, 'Seccomp:\t2\n'), false);
    assert.equal(isSandboxInForce(dropIn, 'CapBnd:\t0000000000000021\n'), false);
  });

  test('accepts no capability for a drop-in without a bounding set or with unknown words', () => {
    assert.equal(isSandboxInForce('', status('0000000000000001')), false);
    assert.equal(
      isSandboxInForce('CapabilityBoundingSet=CAP_WHATEVER\n', status('0000000000000001')),
      false,
    );
  });
});

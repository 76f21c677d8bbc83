/** Files of /etc/pam.d, as pam.conf(5) has them, and what a service runs of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jumpOnSuccess, parsePamFile } from '../../src/pam/core/pam-file.ts';
import { jumpedOver, ownStackOf, stackOf } from '../../src/pam/core/stack.ts';
import { mustEnd } from '../../testing/patience.ts';

const modules = (text: string) =>
  parsePamFile(text).map((each) =>
    each.kind === 'module'
      ? [each.line, each.type, each.control, each.module, ...each.args]
      : [each.line, each.type ?? '@', each.substack ? 'substack' : 'include', each.file],
  );

describe('parsePamFile()', () => {
  test('reads the files that Debian ships', () => {
    assert.deepEqual(
      modules(`# comment
session\t[default=1]\t\t\tpam_permit.so
session    optional     pam_mail.so standard noenv # [1]
@include common-session-noninteractive 
-session\toptional\tpam_systemd.so 
auth\t\tinclude\t\tsu
`),
      [
        [2, 'session', '[default=1]', 'pam_permit.so'],
        [3, 'session', 'optional', 'pam_mail.so', 'standard', 'noenv'],
        [4, '@', 'include', 'common-session-noninteractive'],
        [5, 'session', 'optional', 'pam_systemd.so'],
        [6, 'auth', 'include', 'su'],
      ],
    );
  });

  test('reads controls and arguments in brackets, however they are spaced', () => {
    assert.deepEqual(
      modules('SESSION [ success=ok\t ignore=ignore] /lib/security/pam_x.so [a b\\] c] d'),
      [[1, 'session', '[success=ok ignore=ignore]', 'pam_x.so', 'a b] c', 'd']],
    );
  });

  test('joins continued lines, but not comments', () => {
    assert.deepEqual(modules('session required \\\n pam_a.so \\\n x\nsession required pam_b.so'), [
      [1, 'session', 'required', 'pam_a.so', 'x'],
      [4, 'session', 'required', 'pam_b.so'],
    ]);
    assert.deepEqual(modules('# session \\\nsession required pam_b.so'), [
      [2, 'session', 'required', 'pam_b.so'],
    ]);
    assert.deepEqual(modules('session required pam_a.so \\'), [
      [1, 'session', 'required', 'pam_a.so'],
    ]);
  });

  test('leaves out lines that are not rules', () => {
    assert.deepEqual(
      modules('session\nsession required\nsessions required pam_a.so\n\n@include'),
      [],
    );
  });

  test('takes linear time for long files of brackets and continued lines', () => {
    for (const piece of ['session [', 'session [x\\\n', '[\\]', '# \\\n', '\\\n'])
      mustEnd(() => parsePamFile(piece.repeat(200_000)));
    assert.deepEqual(modules('session [success=1 pam_a.so'), []);
  });
});

test('jumpOnSuccess() returns the number of modules that success skips', () => {
  assert.equal(jumpOnSuccess('[success=3 default=ignore]'), 3);
  assert.equal(jumpOnSuccess('[default=1]'), 1);
  assert.equal(jumpOnSuccess('[success=ok default=2]'), 0);
  assert.equal(jumpOnSuccess('optional'), 0);
});

describe('stackOf()', () => {
  const files: Record<string, string> = {
    su: 'auth sufficient pam_rootok.so\nsession required pam_env.so\n@include common-session',
    'su-l': 'session optional pam_keyinit.so\nsession include su',
    'common-session': 'session required pam_unix.so\naccount required pam_time.so',
    crond:
      'session required pam_limits.so\nsession substack system-auth\nsession optional pam_x.so',
    'system-auth': 'session [success=1 default=ignore] pam_a.so\nsession required pam_b.so',
    empty: '@include empty\n@include empty',
    loop: 'session required pam_a.so\n@include loop\n@include loop',
    other: 'session required pam_deny.so',
    passwd: 'password required pam_unix.so',
  };
  const read = (file: string) => files[file];
  const names = (service: string) => stackOf(service, 'session', read).map(({ module }) => module);

  test('follows @include, include and substack', () => {
    assert.deepEqual(names('su-l'), ['pam_keyinit.so', 'pam_env.so', 'pam_unix.so']);
    assert.equal(stackOf('su-l', 'session', read).at(-1)?.file, 'common-session');
    assert.deepEqual(names('crond'), ['pam_limits.so', 'pam_a.so', 'pam_b.so', 'pam_x.so']);
  });

  test('is the stack of "other" when the service has no session rules', () => {
    assert.deepEqual(names('passwd'), ['pam_deny.so']);
    assert.deepEqual(ownStackOf('passwd', 'session', read), []);
    assert.deepEqual(names('no-such-service'), ['pam_deny.so']);
  });

  test('ends when files include each other', () => {
    assert.ok(mustEnd(() => names('loop')).length <= 10_000);
    assert.deepEqual(
      mustEnd(() => ownStackOf('empty', 'session', read)),
      [],
    );
  });

  test('jumpedOver() counts a substack as one module, and stays inside its own', () => {
    const stack = stackOf('crond', 'session', read);
    assert.deepEqual(
      jumpedOver(stack, 1).map(({ module }) => module),
      ['pam_b.so'],
    );
    const over = ownStackOf('x', 'session', (file) =>
      file === 'x'
        ? 'session [success=1 default=ignore] pam_j.so\nsession substack system-auth\nsession optional pam_x.so'
        : files[file],
    );
    assert.deepEqual(
      jumpedOver(over, 0).map(({ module }) => module),
      ['pam_a.so', 'pam_b.so'],
    );
    assert.deepEqual(jumpedOver(over, 3), []);
  });
});

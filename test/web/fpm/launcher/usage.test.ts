/** bulkhead-fpm, which units start, without a jail: the words and sockets that it takes, and what it passes on. */
import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import {
  call,
  instance,
  launch,
  modes,
  program,
  scratch,
  skip,
  useTenant,
  words,
  writeLaunch,
} from './stage.ts';

suite('bulkhead-fpm without a jail', { skip }, () => {
  useTenant();

  test("passes each socket's path and descriptor to php-fpm", () => {
    const shown =
      'echo "$FPM_SOCKETS|${LISTEN_FDS-}${LISTEN_PID-}${LISTEN_FDNAMES-}${LISTEN_PIDFDID-}${NOTIFY_SOCKET-}|$PATH|$*"';
    const told = (names: string) => call(words('slice-root', shown), names).stdout.split('|');
    assert.equal(told('/run/a.sock')[0], '/run/a.sock=3');
    assert.equal(told('/run/a.sock:/run/b.sock')[0], '/run/a.sock=3,/run/b.sock=4');
    // No text in a name acts as a pattern or a command.
    assert.equal(told('/run/*:$(id)')[0], '/run/*=3,$(id)=4');
    assert.deepEqual(told('/run/a.sock').slice(1), [
      '',
      '/usr/bin:/bin:/usr/sbin:/sbin',
      '--nodaemonize --fpm-config /x.conf\n',
    ]);
  });

  test('refuses names of sockets that php-fpm would read differently', () => {
    for (const names of [
      '/run/a.sock=0,/run/b.sock',
      '/run/a.sock,/run/b.sock=7',
      '/run/a.sock=0',
      '/run/a.sock::/run/b.sock',
      '/run/a.sock:',
      ':',
      '/run/a.sock\n/run/b.sock',
      '/run/a sock',
      `/run/${'a'.repeat(5000)}=1`,
    ])
      for (const mode of modes) {
        const { status, stdout, stderr } = call(words(mode, 'echo ran'), names);
        assert.deepEqual([status, stdout], [1, ''], names);
        assert.match(stderr, /^bulkhead: .*systemd passed a socket with the name "/);
      }
  });

  test('does not start php-fpm without a socket or a cgroup', () => {
    for (const mode of modes)
      for (const names of [undefined, '']) {
        const { status, stdout, stderr } = call(words(mode, 'echo ran'), names);
        assert.deepEqual([status, stdout], [1, '']);
        assert.match(stderr, /systemd passed no socket/);
      }
    for (const mode of ['root', 'tenant'] as const) {
      rmSync(`/run/${instance}/launch`);
      const outside = launch(mode, 'echo ran');
      writeLaunch();
      assert.deepEqual([outside.status, outside.stdout], [1, '']);
      assert.match(outside.stderr, /there is no \/run\/\S+\/launch/);
    }
  });

  test('refuses words that no unit has', () => {
    const ran = program('echo ran');
    const refuse = (...args: readonly string[]) => {
      const { status, stdout, stderr } = call(args, '/run/a.sock');
      assert.deepEqual([status, stdout], [1, ''], args.join(' '));
      return stderr;
    };
    assert.match(refuse('elsewhere', instance, '1001', ran, '/x.conf'), /"elsewhere" is unknown/);
    assert.match(refuse(), /"" is unknown/);
    for (const args of [
      ['slice-root', instance, '1001', ran, '/x.conf', 'shop.example', 'more'],
      ['slice-root', instance, '1001', ran],
      ['slice-root', instance, '1001', 'program', '/x.conf'],
      ['slice-root', instance, '1001', ran, 'x.conf'],
      ['slice-root', instance, '1001:1001', ran, '/x.conf'],
      ['slice', instance, '1001', ran, '/x.conf'],
      ['slice', instance, '1001:', ran, '/x.conf'],
      ['slice', instance, '1001:00', ran, '/x.conf'],
      ...['', '0', '01', '-1', '+1', ' 1', '4294967295', '4294967296', 'root'].map((each) => [
        'tenant',
        instance,
        each,
        ran,
        '/x.conf',
      ]),
      ...['', '-', '..', '../x', 'Bulkhead', 'a/b'].map((each) => [
        'tenant',
        each,
        '1001',
        ran,
        '/x.conf',
      ]),
      ...['', '..', 'a/b', '../main', 'Shop.example', 'a b'].map((each) => [
        'tenant',
        instance,
        '1001',
        ran,
        '/x.conf',
        each,
      ]),
    ])
      assert.match(refuse(...args), /^bulkhead: Cannot start php-fpm: wrong usage/, args.join(' '));
  });

  test('passes on its sockets, and no other descriptor', () => {
    const secret = join(scratch, 'secret');
    writeFileSync(secret, 'secret', { mode: 0o600 });
    const fd = openSync(secret, 'r');
    try {
      for (const mode of modes) {
        const script = 'for f in 3 4 5 6 7 8; do [ -e /proc/$$/fd/$f ] && echo $f; done; true';
        const args =
          mode === 'slice'
            ? ['slice', instance, '65534:65534', program(script), '/x.conf']
            : words(mode, script);
        const stdio = ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', fd, fd, fd];
        const { stdout, stderr } = call(args, '/run/a.sock:/run/b.sock', { stdio });
        assert.equal(stdout, '3\n4\n', `${mode} ${stderr}`);
      }
    } finally {
      closeSync(fd);
    }
  });
});

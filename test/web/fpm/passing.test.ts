/** The sockets of tenants' services go to the distribution's php-fpm without being closed. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, linkSync, lstatSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  passingDropIn,
  startWords,
  takeSockets,
} from '../../../src/web/core/fpm/service/passing.ts';
import { findSocketAgain, isFound, leaveSocket } from '../../../src/web/io/fpm/sockets.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';

const scratch = suiteDirectory('fpm-passing');
const shells = ['/bin/sh', '/bin/bash', '/usr/bin/busybox'].filter((each) => existsSync(each));

const shown = (path: string, words: string, ignored = 'no') =>
  `{ path=${path} ; argv[]=${words} ; ignore_errors=${ignored} ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }`;

test('startWords() returns the words of one plain command', () => {
  const program = '/usr/sbin/php-fpm8.4';
  const words = `${program} --nodaemonize --fpm-config /etc/php/8.4/fpm/php-fpm.conf`;
  assert.deepEqual(startWords(`${shown(program, words)}\n`), words.split(' '));
  for (const other of [
    '',
    shown('/usr/bin/env', words),
    shown(program, words, 'yes'),
    shown(program, `${program} $OPTIONS`),
    shown(program, `${program} "a b"`),
    shown(program, `${program} %i`),
    shown(program, `${program} ; x`),
    shown(program, `${program}  --nodaemonize`),
    `${shown(program, words)} ${shown(program, words)}`,
  ])
    assert.equal(startWords(other), undefined, other);
});

test('passingDropIn() names the sockets, and replaces the command by a shell that becomes it', () => {
  const text = passingDropIn(['a@1:x.socket', 'a@2:y.socket'], ['/usr/sbin/php-fpm8.4', '-F']);
  const lines = text.split('\n').filter((each) => !each.startsWith('#'));
  assert.deepEqual(lines.slice(0, 4), [
    '[Service]',
    'Sockets=a@1:x.socket',
    'Sockets=a@2:y.socket',
    'ExecStart=',
  ]);
  assert.deepEqual(lines.slice(5), ['']);
  // systemd takes two dollars for one, and has no other meaning for what is between the quotes.
  const [, script = ''] =
    /^ExecStart=\/bin\/sh -c '([^']*)' sh \/usr\/sbin\/php-fpm8\.4 -F$/.exec(lines[4] ?? '') ?? [];
  assert.equal(script.replaceAll('$$', '$'), takeSockets);
  assert.doesNotMatch(script, /[%\\]/);
});

for (const shell of shells) {
  const told = (names: string) => {
    const program = join(scratch, 'program');
    writeFileSync(
      program,
      '#!/bin/sh\necho "$FPM_SOCKETS|${LISTEN_FDS-}${LISTEN_PID-}${LISTEN_FDNAMES-}|${NOTIFY_SOCKET-}|$*"\n',
      { mode: 0o755 },
    );
    const [first, ...rest] = shell.endsWith('busybox') ? [shell, 'sh'] : [shell];
    const env = { LISTEN_FDNAMES: names, LISTEN_FDS: '2', LISTEN_PID: '7', NOTIFY_SOCKET: '/n' };
    const args = [...rest, '-c', takeSockets, 'sh', program, '-F', 'a  b'];
    return spawnSync(first ?? '', args, { env, encoding: 'utf8', cwd: '/etc' }).stdout;
  };

  test(`php-fpm learns from ${shell} which descriptor is which socket`, () => {
    assert.equal(told('/run/a.sock'), '/run/a.sock=3||/n|-F a  b\n');
    assert.equal(told('/run/a.sock:/run/b.sock'), '/run/a.sock=3,/run/b.sock=4||/n|-F a  b\n');
    assert.equal(told('/run/*:$(id)'), '/run/*=3,$(id)=4||/n|-F a  b\n');
    assert.equal(told(''), '||/n|-F a  b\n');
  });
}

const listening = (path: string) =>
  new Promise<Server>((resolve) => {
    const server = createServer();
    server.listen(path, () => resolve(server));
  });

test('leaveSocket() leaves the path of a socket, also if a service has removed it', async () => {
  const listen = { stream: join(scratch, 'a.sock') };
  const bound = `${listen.stream}.bulkhead`;
  const server = await listening(bound);
  try {
    linkSync(bound, listen.stream);
    assert.ok(isFound(listen));
    assert.ok(findSocketAgain(listen).ok);
    const { ino } = lstatSync(bound);
    rmSync(listen.stream);
    assert.ok(leaveSocket(listen).ok);
    assert.equal(lstatSync(listen.stream).ino, ino);
    assert.equal(existsSync(bound), false);
    assert.ok(leaveSocket(listen).ok, 'once more');
    assert.equal(lstatSync(listen.stream).ino, ino);
  } finally {
    server.close();
  }
});

test('findSocketAgain() replaces nothing that is at the path', async () => {
  const listen = { stream: join(scratch, 'b.sock') };
  const server = await listening(`${listen.stream}.bulkhead`);
  try {
    writeFileSync(listen.stream, 'x');
    assert.ok(findSocketAgain(listen).ok);
    assert.ok(lstatSync(listen.stream).isFile());
    rmSync(listen.stream);
    assert.ok(findSocketAgain(listen).ok);
    assert.ok(isFound(listen));
  } finally {
    server.close();
  }
});

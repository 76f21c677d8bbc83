/** The process of `bulkhead exec` becomes the command: its pid, descriptors, terminal and oom_score_adj. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { launcher } from '../../testing/launcher.ts';
import { instance, account, skip, scratch, uid, launch, output, useTenant } from './exec-stage.ts';

describe('the process of bulkhead exec', { skip }, () => {
  useTenant();

  test('closes descriptors that the caller left open', () => {
    const stdio: StdioOptions = ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'];
    // The shell itself would have a descriptor open in a pipeline.
    const open = output('ls /proc/$$/fd; true', { stdio }).split('\n');
    assert.deepEqual(
      open.filter((fd) => /^[3-9]$/.test(fd)),
      [],
    );
  });

  test('passes a listening socket on with --keep-fds, as systemd does', async (t) => {
    if (!fs.existsSync('/usr/bin/perl')) return t.skip('perl is not installed');
    const path = join(scratch, 'listening');
    const listen = `use Socket; $^F = 9; socket(S, AF_UNIX, SOCK_STREAM, 0) or die; bind(S, sockaddr_un($ARGV[0])) or die;
      listen(S, 5) or die; $ENV{LISTEN_PID} = $$; $| = 1; print fileno(S); shift; exec @ARGV`;
    const serve =
      'open(my $s, "+<&=", 3); accept(my $c, $s); syswrite($c, "$<:" . ($ENV{LISTEN_PID} == $$))';
    const options = ['--instance', instance, '--keep-fds', '--keep-env', 'LISTEN_PID'];
    const args = ['-e', listen, path, launcher, ...options, account, '--', 'perl', '-e', serve];
    const child = spawn('perl', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [fd] = (await once(child.stdout, 'data')) as [Buffer];
      assert.equal(fd.toString(), '3');
      const answer = (await connect(path).setEncoding('utf8').toArray()) as string[];
      assert.equal(answer.join(''), `${uid}:1`);
    } finally {
      child.kill();
    }
  });

  test('replaces itself by the command, which gets its signals', async () => {
    const args = ['--instance', instance, account, '--', 'sh', '-c', 'echo $$; exec sleep 30'];
    const child = spawn(launcher, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    assert.equal(Number(chunk.toString()), child.pid);
    child.kill('SIGTERM');
    const [, signal] = (await once(child, 'exit')) as [null, string];
    assert.equal(signal, 'SIGTERM');
  });

  test('keeps the terminal', (t) => {
    if (!fs.existsSync('/usr/bin/script')) return t.skip('script(1) is not installed');
    const command = `${launcher} --instance ${instance} ${account} -- sh -c 'test -t 0 && test -t 1 && tty && echo ok >/dev/tty'`;
    const result = spawnSync('script', ['-qec', command, '/dev/null'], {
      encoding: 'utf8',
      input: '',
    });
    assert.match(result.stdout, /^\/dev\/pts\/\d+\s+ok/m);
    assert.equal(result.status, 0);
  });

  test('resets a negative oom_score_adj, and keeps a positive one', (t) => {
    const adjusted = (value: number) => {
      const script = `echo ${value} >/proc/self/oom_score_adj && exec "$@"`;
      return ['sh', '-c', script, 'sh'];
    };
    const script = `cat /proc/self/oom_score_adj
      (echo -1 >/proc/self/oom_score_adj) 2>/dev/null || echo refused`;
    assert.equal(output(script, { prefix: adjusted(300) }), '300\nrefused');
    if (spawnSync('sh', [...adjusted(-1000).slice(1), 'true']).status !== 0)
      return t.skip('root cannot lower oom_score_adj here');
    assert.equal(output(script, { prefix: adjusted(-1000) }), '0\nrefused');
  });

  test('writes 0 over a negative oom_score_adj, on a file in its place', (t) => {
    const stand = join(scratch, 'oom_score_adj');
    const script = 'mount --bind "$1" /proc/$$/oom_score_adj && shift && exec "$@"';
    const prefix = ['unshare', '--mount', 'sh', '-c', script, 'sh', stand];
    fs.writeFileSync(stand, '0\n');
    if (launch(account, ['true'], { prefix }).status !== 0)
      return t.skip('the kernel mounts nothing over files of processes');
    for (const [inherited, left] of [
      ['-1000', '0'],
      ['-1', '0'],
      ['0', '0'],
      ['300', '300'],
    ] as const) {
      fs.writeFileSync(stand, `${inherited}\n`);
      assert.equal(launch(account, ['true'], { prefix }).status, 0);
      assert.match(fs.readFileSync(stand, 'utf8'), new RegExp(`^${left}(?!\\d)`));
    }
  });
});

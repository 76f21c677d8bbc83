/** The broker runs crontab and mail programs outside for tenants in jails, and no other commands or arguments. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { describe, test } from 'node:test';
import { eventually } from '../../testing/patience.ts';
import { skip, launcher, call, BrokerStage, crontab } from './broker-stage.ts';

const stage = new BrokerStage('cmd');
const {
  instance,
  alice,
  bob,
  homes,
  socket,
  uids,
  gids,
  brokerArgs,
  enteringJails,
  asAlice,
  inside,
  start,
  mustApply,
  listen,
  stop,
  mail,
} = stage;

describe('bulkhead-broker', { skip }, () => {
  stage.register();

  test('writes, lists, replaces and removes a crontab', () => {
    assert.equal(inside('crontab -', '1 2 3 4 5 true\n').status, 0, stage.log);
    assert.match(crontab(alice) ?? '', /^1 2 3 4 5 true$/m);
    assert.equal(inside('crontab -l').stdout, '1 2 3 4 5 true\n');
    assert.equal(inside('cd; echo "6 7 8 9 * false" > tab; crontab tab').status, 0, stage.log);
    assert.equal(inside('crontab -l').stdout, '6 7 8 9 * false\n');
    const edit = `cd; printf '#!/bin/sh\\necho "@daily true" >>"$1"\\n' > edit; chmod 755 edit; EDITOR=./edit crontab -e`;
    assert.equal(inside(edit).status, 0, stage.log);
    assert.equal(inside('crontab -l').stdout, '6 7 8 9 * false\n@daily true\n');
    const wrong = inside('crontab -', 'nonsense\n');
    assert.notEqual(wrong.status, 0);
    assert.match(wrong.stderr, /bad minute|errors in crontab/);
    assert.equal(inside('crontab -r').status, 0);
    assert.equal(crontab(alice), undefined);
    const none = inside('crontab -l');
    assert.deepEqual([none.status, /no crontab for/.test(none.stderr)], [1, true], none.stderr);
  });

  test('refuses a crontab when cron would run it outside the jail', async () => {
    await listen(brokerArgs);
    const refused = inside('crontab -', '1 2 3 4 5 true\n');
    assert.equal(refused.status, 77);
    assert.match(refused.stderr, /would run outside the jail: .*bulkhead pam enable/);
    assert.equal(crontab(alice), undefined);
    assert.equal(inside('crontab -r').status, 1);
    await listen(enteringJails);
  });

  test('refuses dangerous arguments with exit status 77, and runs nothing', () => {
    const before = mail().length;
    for (const [index, words] of [
      `sendmail -be '\${run{/bin/id}}'`,
      `sendmail -C/etc/passwd ${alice}`,
      `sendmail -C /etc/passwd ${alice}`,
      `sendmail -oQ/tmp ${alice}`,
      `sendmail -oMr x ${alice}`,
      `sendmail -X/tmp/stage.log ${alice}`,
      `sendmail -bd`,
      `sendmail -bs`,
      `sendmail -bp`,
      `sendmail -q`,
      `sendmail -O QueueDirectory=/tmp ${alice}`,
      `sendmail -D x ${alice}`,
      `sendmail -f 'a b@c' ${alice}`,
      `sendmail -f -C/etc/passwd ${alice}`,
      `sendmail -f '-oQ/tmp' ${alice}`,
      `sendmail '-fx\n-be' ${alice}`,
      `sendmail -- -be`,
      `sendmail ${alice} -be`,
      `sendmail '|/bin/id'`,
      `sendmail /tmp/file`,
      `sendmail ':include:/etc/passwd'`,
      `sendmail "$(printf 'a\\n-be')"`,
      `sendmail "$(printf '${alice}\\nx')"`,
      `sendmail -i "$(printf -- '-t\\nx')"`,
      `crontab -u ${bob} -l`,
      `crontab -u ${bob} -`,
      `crontab -l -u root`,
      `crontab -lu${bob}`,
      `crontab -T /etc/shadow`,
      `crontab - -`,
    ].entries()) {
      const command = words.startsWith('sendmail') ? `/usr/sbin/${words}` : words;
      const { status, stdout, stderr } = inside(command, 'To: x\n\nx\n');
      assert.deepEqual([status, stdout], [77, ''], `${index} ${words}: ${stderr}`);
      assert.match(stderr, /cannot be run with these arguments from a jail/);
    }
    assert.equal(mail().length, before);
    assert.equal(crontab(bob), undefined);
  });

  test('ignores environment and working directory, and refuses malformed requests', async () => {
    const tricks = `cd; ln -s /nonexistent d; mkdir -p bin; printf '#!/bin/sh\\ntouch ~/ran\\n' > bin/sh; chmod 755 bin/sh
      export PATH=$PWD/bin:$PATH LD_PRELOAD=$PWD/x.so PERL5LIB=$PWD/bin PERL5OPT=-MEvil IFS=x ENV=$PWD/bin/sh MAILCONF=/tmp/x
      unset PERL5OPT; exec /usr/sbin/sendmail ${alice}`;
    assert.equal(inside(tricks, 'Subject: tricks\n\nx\n').status, 0, stage.log);
    await eventually(
      'it arrives',
      () => mail().includes('Subject: tricks'),
      () => stage.log,
    );
    assert.ok(!existsSync(`${homes}/alice/ran`));
    for (const [what, request] of [
      ['nothing known', '"1", "su"'],
      ['a path', '"1", "../bin/sh"'],
      ['a shell', '"1", "sh", "-c", "id"'],
      ['another version', '"2", "sendmail"'],
      ['words without end', '"1", "sendmail", ("x") x 400'],
      ['a long word', '"1", "sendmail", "x" x 5000'],
    ] as const) {
      const text = speak(`send_frame('r', join "\\0", ${request}); send_frame('e', '');`);
      assert.match(text, /^x.*^s 77$/ms, `${what}: ${text}`);
    }
    assert.match(speak(`syswrite $s, "garbage" x 1000;`), /^s 77$/m);
    assert.match(speak(`syswrite $s, pack('a1 N', 'r', 0xffffffff);`), /^s 77$/m);
    assert.match(
      speak(`send_frame('r', "1\\0sendmail\\0-t"); send_frame('r', "1\\0sendmail\\0-t");`),
      /^s 77$/m,
    );
  });

  test('limits the connections of one tenant, and continues afterwards', async () => {
    const flood = start([
      'perl',
      '-e',
      String.raw`use Socket; my @all;
        for (1 .. 300) { my $s; socket($s, PF_UNIX, SOCK_STREAM, 0); push @all, $s if connect $s, sockaddr_un('/run/bulkhead/broker/socket') } 
        $| = 1; print "full\n"; sleep 3600`,
    ]);
    await once(flood.stdout!, 'data');
    const own = inside('crontab -l');
    assert.equal(own.status, 75, own.stderr);
    const count = Number(
      execFileSync('pgrep', ['-c', '-f', `bulkhead-broker ${instance}`], { encoding: 'utf8' }),
    );
    assert.ok(count <= 1 + 8, `${count} brokers`);
    flood.kill('SIGKILL');
    await once(flood, 'exit');
    await eventually(
      'it is served again',
      () => inside('crontab -l').status === 1,
      () => stage.log,
    );
  });

  test('refuses root, and tenants without a jail', () => {
    for (const [uid, gid] of [
      [uids.bob, gids.bob],
      [0, 0],
    ]) {
      const [args, path] = [[`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'], socket];
      const ran = call('setpriv', [
        ...args,
        'perl',
        '-e',
        talk(`send_frame('r', "1\\0sendmail\\0${alice}"); send_frame('e', '');`, path),
      ]);
      assert.match(ran.stdout, /^x Only tenants with a jail are served\n\ns 77$/m, ran.stderr);
    }
  });

  test('runs only commands that the policy lists', () => {
    mustApply('<jail profile="web" commands="crontab"/>');
    const refused = inside(`/usr/sbin/sendmail ${alice}`, 'x\n');
    assert.equal(refused.status, 77);
    assert.match(refused.stderr, /sendmail cannot be run from a jail: the policy does not list it/);
    assert.equal(inside('crontab -l').status, 1);
    assert.equal(inside('passwd -S').status, 77);
    mustApply('<jail profile="web" commands="none"/>');
    assert.equal(inside('crontab -l').status, 77);
    mustApply();
  });

  test('prints an error and exits with 69 when it does not run', async () => {
    await stop();
    rmSync(socket);
    const { status, stderr } = inside(`/usr/sbin/sendmail ${alice}`, 'x\n');
    assert.equal(status, 69);
    assert.match(stderr, /sendmail: Cannot run outside the jail: nobody listens/);
  });
});

/** A client of its own, which prints each frame that comes back. */
const talk = (
  code: string,
  path: string,
) => String.raw`use Socket; $SIG{PIPE} = 'IGNORE'; my $s; socket($s, PF_UNIX, SOCK_STREAM, 0);
connect $s, sockaddr_un('${path}') or die $!;
sub send_frame { my ($type, $content) = @_; syswrite $s, pack('a1 N', $type, length $content) . $content }
${code}
my $all = ''; while (sysread $s, $all, 65536, length $all) { }
while (length $all >= 5) { my ($type, $length) = unpack 'a1 N', $all; print "$type ", substr($all, 5, $length), "\n"; substr($all, 0, 5 + $length) = '' }`;

const speak = (code: string) =>
  call(launcher, asAlice('perl', '-e', talk(code, '/run/bulkhead/broker/socket'))).stdout;

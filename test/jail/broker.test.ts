// Commands that are run outside for tenants in jails: real programs, and what a tenant would try with them.
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { MailCount } from '../../src/agent/api/api.ts';
import { logToStderr } from '../../testing/progress.ts';
import { packageFile } from '../../src/sys/package-files.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { eventually } from '../../testing/patience.ts';
import { reasonToSkip } from './stage.ts';
import { compileExec } from '../../scripts/entry.ts';

const ready = await ensurePrerequisites('broker', logToStderr);
const skip = reasonToSkip() || (ready.ok ? false : ready.reason);
const program = packageFile('bulkhead');
const launcher = compileExec();
const instance = 'bulkhead-broker-test';
const [alice, bob] = ['bhbrokera', 'bhbrokerb'] as const;
const homes = `/srv/${instance}`;
const policy = `${homes}/policy.xml`;
const socket = `/run/${instance}/broker/socket`;
const uids = { alice: 0, bob: 0 };

const call = (command: string, args: readonly string[], input = '') =>
  spawnSync(command, args, { encoding: 'utf8', input, timeout: 300_000 });
const bulkhead = (...args: readonly string[]) => call(program, ['--instance', instance, ...args]);
const asAlice = (...args: readonly string[]) => ['--instance', instance, alice, '--', ...args];
const inside = (script: string, input = '') =>
  call(launcher, asAlice('/bin/sh', '-c', script), input);
/** Starts a command of alice's inside that goes on while the test does. */
const start = (args: readonly string[], stdout: 'pipe' | 'ignore' = 'pipe') =>
  spawn(launcher, asAlice(...args), { stdio: ['ignore', stdout, 'inherit'] });

const siteJail = `<site name="shop.example"><jail profile="web" home="${homes}/alice/shop"/></site>`;
function mustApply(jail = '<jail profile="web"/>', site = ''): void {
  const tenants = `<tenant uid="${uids.alice}">${jail}${site}</tenant><tenant uid="${uids.bob}"/>`;
  writeFileSync(policy, `<bulkhead version="1">${tenants}</bulkhead>\n`);
  const { status, stderr } = bulkhead('apply', policy);
  assert.equal(status, 0, stderr);
}

let broker: ChildProcess | undefined;
let log = '';
const brokerWords = [packageFile('libexec/bulkhead-broker'), instance, '--listen'] as const;

/** Runs the broker with a PAM configuration that lets cron enter jails, which this host need not have. */
const enteringJails = [
  'unshare',
  '--mount',
  'sh',
  '-ec',
  'printf "session required /usr/lib/pam_bulkhead.so\\n" >"$1"; mount --bind "$1" /etc/pam.d/cron; rm "$1"; shift; exec "$@"',
  'sh',
  `/run/${instance}.pam`,
  ...brokerWords,
] as const;

/** The directory of a copy of /etc, in which passwd changes the shadow file. */
const ownEtc = `/run/${instance}.etc`;
const [first, second] = ['correct horse battery', 'staple of another wall'] as const;
const withOwnEtc = [
  'unshare',
  '--mount',
  'sh',
  '-ec',
  'cp -a /etc "$1"; mount --bind "$1" /etc; printf %s "$2" | chpasswd; shift 2; exec "$@"',
  'sh',
  ownEtc,
  `${alice}:${first}\n`,
  ...brokerWords,
] as const;

/** The directory of a copy of /usr/sbin, with a mail program that is a copy of another program. */
const ownSbin = `/run/${instance}.sbin`;
const withMail = (name: string, program: string, mode = '755') =>
  [
    'unshare',
    '--mount',
    'sh',
    '-ec',
    'rm -rf "$1"; cp -a /usr/sbin "$1"; mount --bind "$1" /usr/sbin; rm -f /usr/sbin/sendmail "/usr/sbin/$2"; cp "$3" "/usr/sbin/$2"; chmod "$4" "/usr/sbin/$2"; [ "$2" = sendmail ] || ln -s "$2" /usr/sbin/sendmail; shift 4; exec "$@"',
    'sh',
    ownSbin,
    name,
    program,
    mode,
    ...brokerWords,
  ] as const;
const shadowOf = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`${alice}:`));

async function listen([command, ...args]: readonly [string, ...string[]]): Promise<void> {
  if (broker?.exitCode === null && broker.kill()) await once(broker, 'exit');
  rmSync(socket, { force: true });
  broker = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  broker.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  await eventually(
    'it listens',
    () => existsSync(socket),
    () => log,
  );
}

const mailbox = `/var/mail/${alice}`;
const mail = () => (existsSync(mailbox) ? readFileSync(mailbox, 'latin1') : '');
const crontab = (user: string) => {
  const path = `/var/spool/cron/crontabs/${user}`;
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
};

interface Status {
  readonly jails: readonly { readonly uid: number; readonly mail?: MailCount }[];
}
const status = () => JSON.parse(bulkhead('jail', 'status', '--json').stdout) as Status;

function removeAll(): void {
  bulkhead('release', '--kill');
  for (const user of [alice, bob]) {
    spawnSync('userdel', [user], { stdio: 'ignore' });
    rmSync(`/var/mail/${user}`, { force: true });
    rmSync(`/var/spool/cron/crontabs/${user}`, { force: true });
  }
  for (const each of [homes, ownEtc, ownSbin, `/run/${instance}`, `/var/lib/${instance}`])
    rmSync(each, { recursive: true, force: true });
}

before(async () => {
  if (skip !== false) return;
  removeAll();
  mkdirSync(homes);
  for (const [name, user] of Object.entries({ alice, bob })) {
    execFileSync('useradd', ['--no-log-init', '-U', '-m', '-d', `${homes}/${name}`, user]);
    uids[name as keyof typeof uids] = Number(execFileSync('id', ['-u', user]));
  }
  mkdirSync(`${homes}/alice/shop`);
  chownSync(`${homes}/alice/shop`, uids.alice, uids.alice);
  mustApply();
  await listen(enteringJails);
});
after(async () => {
  if (skip !== false) return;
  if (broker?.exitCode === null && broker.kill()) await once(broker, 'exit');
  removeAll();
});

describe('bulkhead-broker', { skip }, () => {
  test('delivers mail with the tenant as sender', async () => {
    const sent = inside(
      '/usr/sbin/sendmail -t -i',
      `To: ${alice}\nSubject: from inside\n\nhello\n.\nmore\n`,
    );
    assert.deepEqual([sent.status, sent.stderr], [0, ''], log);
    await eventually(
      'it is in the mailbox',
      () => mail().includes('from inside'),
      () => log,
    );
    assert.match(mail(), new RegExp(`^From ${alice}`, 'm'));
    assert.match(mail(), /^hello\n\.\nmore$/m);
    await eventually('it is in the log', () =>
      new RegExp(`uid ${uids.alice}: sendmail -t -i: exit status 0, \\d+ bytes`).test(log),
    );
  });

  test('counts accepted and refused mail, and no other commands', () => {
    const counts = () => {
      const row = status().jails.find(({ uid }) => uid === uids.alice);
      assert.ok(row?.mail !== undefined);
      return row.mail;
    };
    const before = counts();
    assert.equal(inside('/usr/sbin/sendmail -t', `To: ${alice}\n\ncounted\n`).status, 0, log);
    assert.equal(inside('/usr/sbin/sendmail -bs', 'x').status, 77);
    assert.equal(inside('/usr/sbin/sendmail -C/etc/passwd', 'x').status, 77);
    inside('crontab -l; crontab -T x');
    const after = counts();
    assert.deepEqual(
      [after.accepted - before.accepted, after.refused - before.refused],
      [1, 2],
      log,
    );
    const path = `/run/${instance}/broker-mail`;
    assert.deepEqual([statSync(path).mode & 0o777, statSync(path).uid], [0o700, 0]);
    assert.match(
      bulkhead('jail', 'status').stdout,
      new RegExp(`^Mail of ${alice}: \\d+ messages? accepted, \\d+ refused, since 20`, 'm'),
    );
    // A damaged count begins anew, and stops no mail.
    writeFileSync(`${path}/${uids.alice}`, 'x'.repeat(500));
    assert.equal(inside('/usr/sbin/sendmail -t', `To: ${alice}\n\nagain\n`).status, 0, log);
    const { accepted, refused } = counts();
    assert.deepEqual([accepted, refused], [1, 0], log);
    rmSync(`${path}/${uids.alice}`);
    assert.deepEqual(counts(), { accepted: 0, refused: 0 });
  });

  test('counts all messages that are sent at once', async () => {
    const send = `for i in 1 2 3; do printf 'To: ${alice}\\n\\nx\\n' | /usr/sbin/sendmail -t & done; wait`;
    rmSync(`/run/${instance}/broker-mail/${uids.alice}`, { force: true });
    assert.equal(inside(send).status, 0, log);
    await eventually('all are counted', () => {
      const { mail } = status().jails.find(({ uid }) => uid === uids.alice) ?? {};
      return mail?.accepted === 3 && mail.refused === 0;
    });
  });

  test('writes, lists, replaces and removes a crontab', () => {
    assert.equal(inside('crontab -', '1 2 3 4 5 true\n').status, 0, log);
    assert.match(crontab(alice) ?? '', /^1 2 3 4 5 true$/m);
    assert.equal(inside('crontab -l').stdout, '1 2 3 4 5 true\n');
    assert.equal(inside('cd; echo "6 7 8 9 * false" > tab; crontab tab').status, 0, log);
    assert.equal(inside('crontab -l').stdout, '6 7 8 9 * false\n');
    const edit = `cd; printf '#!/bin/sh\\necho "@daily true" >>"$1"\\n' > edit; chmod 755 edit; EDITOR=./edit crontab -e`;
    assert.equal(inside(edit).status, 0, log);
    assert.equal(inside('crontab -l').stdout, '6 7 8 9 * false\n@daily true\n');
    const wrong = inside('crontab -', 'nonsense\n');
    assert.notEqual(wrong.status, 0);
    assert.match(wrong.stderr, /bad minute|errors in crontab/);
    assert.equal(inside('crontab -r').status, 0);
    assert.equal(crontab(alice), undefined);
    const none = inside('crontab -l');
    assert.deepEqual([none.status, /no crontab for/.test(none.stderr)], [1, true], none.stderr);
  });

  test("sends mail from a site's jail, and refuses crontab and passwd there", async () => {
    mustApply(undefined, siteJail);
    const site = (script: string, input: string) =>
      call(launcher, ['--site', 'shop.example', ...asAlice('/bin/sh', '-c', script)], input);
    const send = (subject: string) =>
      site('/usr/sbin/sendmail -t -i', `To: ${alice}\nSubject: ${subject}\n\nhello\n`);
    assert.deepEqual([send('from a site').status, send('again').stderr], [0, ''], log);
    await eventually('it is in the mailbox', () => mail().includes('from a site'));
    for (const command of ['crontab -', 'crontab -l', 'passwd -S']) {
      const refused = site(command, '1 2 3 4 5 true\n');
      assert.equal(refused.status, 77, command);
      assert.match(refused.stderr, /cannot be run from the jail of a site/);
    }
    assert.equal(crontab(alice), undefined);
    // The socket of its tenant is nowhere inside.
    assert.notEqual(site(`ls /run/${instance}`, '').status, 0);
    mustApply('<jail profile="web" commands="crontab"/>', siteJail);
    const unlisted = send('refused');
    assert.match(unlisted.stderr, /the policy does not list it/);
    mustApply('<jail profile="none"/>', siteJail);
    assert.equal(send('of a tenant without a jail').status, 0, log);
    mustApply();
  });

  test('refuses a crontab when cron would run it outside the jail', async () => {
    await listen(brokerWords);
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
      `sendmail -X/tmp/log ${alice}`,
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

  test('accepts common sendmail arguments', async () => {
    for (const [index, words] of [
      `-f bounce+x=y.org@example.org ${alice}`,
      `-fme@example.org -F 'Me Myself' ${alice}`,
      `-oi -oem -f '' ${alice}`,
      `-i -FCronDaemon -B8BITMIME -oem ${alice}`,
      `-ti`,
      `-bm -- ${alice}`,
    ].entries()) {
      const { status, stderr } = inside(
        `/usr/sbin/sendmail ${words}`,
        `To: ${alice}\n\nnumber ${index}\n`,
      );
      assert.deepEqual([status, stderr], [0, ''], `${words}: ${log}`);
      await eventually(
        `${words} arrives`,
        () => mail().includes(`number ${index}\n`),
        () => log,
      );
    }
  });

  test('ignores environment and working directory, and refuses malformed requests', async () => {
    const tricks = `cd; ln -s /nonexistent d; mkdir -p bin; printf '#!/bin/sh\\ntouch ~/ran\\n' > bin/sh; chmod 755 bin/sh
      export PATH=$PWD/bin:$PATH LD_PRELOAD=$PWD/x.so PERL5LIB=$PWD/bin PERL5OPT=-MEvil IFS=x ENV=$PWD/bin/sh MAILCONF=/tmp/x
      unset PERL5OPT; exec /usr/sbin/sendmail ${alice}`;
    assert.equal(inside(tricks, 'Subject: tricks\n\nx\n').status, 0, log);
    await eventually(
      'it arrives',
      () => mail().includes('Subject: tricks'),
      () => log,
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

  test('sends nothing when a client is killed in the middle', async () => {
    const script = `(printf 'Subject: half\\n\\nbegin\\n'; sleep 3600) | /usr/sbin/sendmail ${alice} & sleep 0.5; kill -9 $(pgrep -x sendmail || pgrep -f bin/sendmail); pkill -x sleep; true`;
    inside(script);
    await eventually(
      'the broker notices',
      () => log.includes('the client ended early'),
      () => log,
    );
    assert.equal(inside('/usr/sbin/sendmail -t', `To: ${alice}\nSubject: whole\n\nx\n`).status, 0);
    await eventually('another one arrives', () => mail().includes('Subject: whole'));
    assert.doesNotMatch(mail(), /Subject: half/);
  });

  test('refuses endless input', () => {
    const { status, stderr } = inside(`head -c 80000000 /dev/zero | /usr/sbin/sendmail ${alice}`);
    assert.equal(status, 65, stderr);
    assert.match(stderr, /more input than 64 MiB/);
    assert.deepEqual(
      readdirSync(`/var/lib/${instance}/broker`).filter((each) => each.startsWith('input')),
      [],
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
      () => log,
    );
  });

  test('refuses root, and tenants without a jail', () => {
    for (const uid of [uids.bob, 0]) {
      const [args, path] = [[`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'], socket];
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

  describe('passwd', () => {
    before(async () => {
      mustApply('<jail profile="web" commands="passwd"/>');
      await listen(withOwnEtc);
    });
    after(async () => {
      mustApply();
      await listen(enteringJails);
    });

    test('changes a password at a terminal when the current one is right', async () => {
      const [copy, host] = [shadowOf(`${ownEtc}/shadow`), shadowOf('/etc/shadow')];
      assert.match(inside('passwd -S').stdout, new RegExp(`^${alice} P `));
      const said = await converse(`script -qefc 'passwd; stty -a' /dev/null`, [
        ['Current password: ', first],
        ['New password: ', second],
        ['Retype new password: ', second],
      ]);
      assert.match(said, /password updated successfully/);
      assert.match(said, /[^-]echo\b/);
      for (const each of [first, second])
        assert.ok(!`${said}${log}`.includes(each), `${said}${log}`);
      assert.notEqual(shadowOf(`${ownEtc}/shadow`), copy);
      assert.equal(shadowOf('/etc/shadow'), host);
      const back = inside('passwd', `${second}\n${first}\n${first}\n`);
      assert.equal(back.status, 0, back.stderr);
      assert.match(log, /: passwd: exit status 0$/m);
    });

    test('refuses dangerous arguments of passwd', () => {
      for (const words of [
        'root',
        bob,
        alice,
        '-l',
        '-d',
        '-u',
        '-e',
        '-a',
        '-Sa',
        '-S root',
        '-S -a',
        '-R /tmp',
        '-P /tmp',
        '-q',
        '--stdin',
        '-r files',
        '-- root',
        `"$(printf -- '-S\\nx')"`,
      ]) {
        const { status, stdout, stderr } = inside(`passwd ${words}`, `${first}\n`);
        assert.deepEqual([status, stdout], [77, ''], `${words}: ${stderr}`);
      }
    });

    test('limits password attempts, one after another and at once', async () => {
      const copy = shadowOf(`${ownEtc}/shadow`);
      const attempt = (word: string, input = `${word}\n${second}\n${second}\n`) =>
        inside('passwd', input);
      await eventually('the next attempt is refused', () => {
        const wrong = attempt('a guess');
        assert.notEqual(wrong.status, 0);
        const next = attempt('another');
        return next.status === 75 && /less than 10 seconds ago/.test(next.stderr);
      });
      const endless = 'head -c 100000 /dev/zero | passwd';
      await eventually(
        'more than answers is refused',
        () => ![0, 75].includes(inside(endless).status ?? 0),
      );
      const asked = 'Current password: ';
      let held: ChildProcess | undefined;
      await eventually('it asks', async () => {
        held = spawn(launcher, ['--instance', instance, alice, '--', 'passwd']);
        let said = '';
        held.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
        const ended = once(held, 'exit');
        await eventually(
          'it asks, or has ended',
          () => said.includes(asked) || held?.exitCode !== null,
        );
        if (!said.includes(asked)) await ended;
        return said.includes(asked);
      });
      const pid = await eventually('it runs', () =>
        readdirSync('/proc').find((each) => exeOf(each)?.endsWith('/passwd')),
      );
      // The program has no terminal, no descriptor but pipes, and nothing of the caller's.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      assert.equal(fields[4], '0');
      const descriptors = readdirSync(`/proc/${pid}/fd`);
      assert.deepEqual(descriptors.sort(), ['0', '1', '2']);
      for (const each of descriptors)
        assert.match(readlinkSync(`/proc/${pid}/fd/${each}`), /^pipe:/);
      assert.match(
        readFileSync(`/proc/${pid}/status`, 'utf8'),
        new RegExp(`^Uid:\\s+${uids.alice}\\s+0`, 'm'),
      );
      const meanwhile = attempt(first);
      assert.deepEqual(
        [meanwhile.status, /being changed already/.test(meanwhile.stderr)],
        [75, true],
      );
      held?.stdin?.write(`${first}\n${second}\n`);
      held?.kill('SIGKILL');
      await eventually('it has ended', () => exeOf(pid) === undefined);
      assert.equal(shadowOf(`${ownEtc}/shadow`), copy);
      await eventually('who knows it can try again', () => attempt(first).status === 0);
      assert.notEqual(shadowOf(`${ownEtc}/shadow`), copy);
    });
  });

  test('shows nothing of the host when a jailed process looks into its programs', async () => {
    const [found, own] = await look(() => {
      for (let count = 0; count < 40; count++) inside('crontab -l');
      for (let count = 0; count < 10; count++) inside(`/usr/sbin/sendmail ${alice}`, 'x\n');
    });
    assert.equal(found, 0);
    assert.ok((own ?? 0) > 0);
    // Another process of its uid outside does lead out, so the program can tell.
    const ids = [`--reuid=${uids.alice}`, `--regid=${uids.alice}`, '--clear-groups'];
    await eventually('the program can tell', async () => {
      const [leads = 0] = await look(() => void call('setpriv', [...ids, 'sleep', '2']));
      return leads > 0;
    });
  });

  test('shows nothing of the host when it runs a copy that is not setuid', async () => {
    // The input comes back.
    await listen(withMail('msmtp', '/usr/bin/tee'));
    const text = 'a line of text\n'.repeat(50_000);
    const [found] = await look(() => {
      for (let count = 0; count < 20; count++) {
        const { status, stdout, stderr } = inside('/usr/sbin/sendmail -i', text);
        assert.deepEqual([status, stderr, stdout === text], [0, '', true]);
      }
    });
    assert.equal(found, 0);
    const { uid, mode } = statSync(`/var/lib/${instance}/broker/sendmail`);
    assert.deepEqual([uid, mode & 0o7777], [0, 0o711]);
  });

  test('runs programs as the tenant: groups, cgroup, limits, and a clean environment', async () => {
    await listen(withMail('msmtp', '/usr/bin/yes'));
    execFileSync('usermod', ['-a', '-G', 'games', alice]);
    const client = start(['env', 'TRICK=yes', '/usr/sbin/sendmail', 'me@example.org'], 'ignore');
    const program = `/var/lib/${instance}/broker/sendmail`;
    const pid = await eventually('it runs', () =>
      readdirSync('/proc').find((each) => exeOf(each) === program),
    );
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    assert.match(status, new RegExp(`^Uid:(\\s+${uids.alice}){4}$`, 'm'));
    assert.match(status, new RegExp(`^Groups:.*\\b60\\b`, 'm'));
    assert.match(status, /^CapEff:\s+0+$/m);
    assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), new RegExp(`/u${uids.alice}$`, 'm'));
    assert.equal(readlinkSync(`/proc/${pid}/cwd`), '/');
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').sort();
    assert.deepEqual(
      variables.filter((each) => each !== '').map((each) => each.split('=')[0]),
      ['HOME', 'LOGNAME', 'PATH', 'SHELL', 'USER'],
    );
    assert.ok(variables.includes('HOME=/nonexistent'));
    const open = () => readdirSync(`/proc/${pid}/fd`).sort().join(' ');
    // While it starts, it has the libraries open.
    await eventually('it has what it was given, and nothing else', () => open() === '0 1 2', open);
    process.kill(Number(pid), 'SIGKILL');
    const [code] = (await once(client, 'exit')) as [number];
    assert.equal(code, 128 + 9);
  });

  test('refuses an unknown mail program when the kernel cannot confine it', async () => {
    for (const [name, mode] of [
      ['esmtp', '755'],
      ['sendmail', '755'],
      ['sendmail', '2755'],
      // These are known only by name.
      ['exim4', '755'],
      ['dma', '755'],
      ['smtpctl', '755'],
      // Others than root can change it.
      ['msmtp', '777'],
    ] as const) {
      await listen(withMail(name, '/usr/bin/tee', mode));
      log = '';
      const { status, stderr } = inside('/usr/sbin/sendmail -i', 'x');
      assert.equal(status, 69, `${name} ${mode}`);
      assert.match(stderr, /The mail program of this host is not run for a jail/);
      await eventually('the log says why', () =>
        log.includes('/usr/sbin/sendmail is none of dma, exim, msmtp, opensmtpd, postfix'),
      );
    }
  });

  test('makes Exim only queue mail when the kernel cannot confine its delivery', async () => {
    // The output shows the args.
    await listen(withMail('exim4', '/usr/bin/echo', '4755'));
    const { stdout } = inside('/usr/sbin/sendmail -odi -i -odb me@example.org');
    assert.equal(stdout, '-odq -i me@example.org\n');
  });

  test('limits the input of one tenant to its share of the space', async () => {
    await listen(withMail('msmtp', '/usr/bin/tee'));
    const send = (megabytes: number) =>
      start([
        'sh',
        '-c',
        `(head -c ${megabytes}000000 /dev/zero; echo sent >&2; exec sleep 3600) | /usr/sbin/sendmail -i; echo "$?" >&2`,
      ]);
    const first = send(40);
    const directory = `/run/${instance}/broker-slots`;
    const taken = (name: string) =>
      readdirSync(directory).filter(
        (each) =>
          new RegExp(`^${name}\\.\\d+$`).test(each) &&
          call('flock', ['--nonblock', `${directory}/${each}`, 'true']).status === 1,
      ).length;
    await eventually('its input is there', () => taken('input') === 10);
    assert.equal(taken(`${uids.alice}.input`), 10);
    const second = inside(`head -c 40000000 /dev/zero | /usr/sbin/sendmail -i`);
    assert.equal(second.status, 75, second.stderr);
    assert.match(second.stderr, /have 64 MiB of input already/);
    assert.equal(inside('/usr/sbin/sendmail -i', 'x'.repeat(1_000_000)).status, 0);
    first.kill('SIGKILL');
    execFileSync('pkill', ['-KILL', '-U', `${uids.alice}`]);
    await eventually('the space is free again', () => taken('input') === 0);
  });

  test('prints an error and exits with 69 when it does not run', async () => {
    broker?.kill();
    if (broker !== undefined) await once(broker, 'exit');
    rmSync(socket);
    const { status, stderr } = inside(`/usr/sbin/sendmail ${alice}`, 'x\n');
    assert.equal(status, 69);
    assert.match(stderr, /sendmail: Cannot run outside the jail: nobody listens/);
  });
});

/**
 * Counts how often a process of the tenant showed the host's files, and how often its own jail, while something was
 * done.
 */
const look = async (meanwhile: () => void): Promise<readonly number[]> => {
  // The broker must confine programs even if the kernel has no Landlock.
  const stateFile = `/run/${instance}/jail/tenants/${uids.alice}`;
  const before = readFileSync(stateFile, 'utf8');
  writeFileSync(stateFile, before.replace('landlock yes', 'landlock no'));
  const child = start([
    'perl',
    '-e',
    String.raw`$| = 1; print "looking\n"; my ($found, $own) = (0, 0);
      $SIG{TERM} = sub { print "found $found $own\n"; exit };
      while (1) { for (glob '/proc/[0-9]*') { $own++ if -e "$_/root/.bulkhead"; $found++ if -e "$_/root/${policy}" } }`,
  ]);
  let text = '';
  child.stdout!.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child.stdout!, 'data');
  writeFileSync(stateFile, before);
  meanwhile();
  child.kill('SIGTERM');
  await once(child, 'close');
  return (/found (\d+) (\d+)/.exec(text) ?? []).slice(1).map(Number);
};

/** Returns the output of a command inside, while each of its questions is answered. */
async function converse(
  command: string,
  answers: readonly (readonly [question: string, answer: string])[],
): Promise<string> {
  const child = spawn(launcher, ['--instance', instance, alice, '--', 'sh', '-c', command]);
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const closed = once(child, 'close');
  let from = 0;
  for (const [question, answer] of answers) {
    await eventually(
      question,
      () => text.includes(question, from),
      () => `${text}${log}`,
    );
    from = text.length;
    child.stdin.write(`${answer}\n`);
  }
  await closed;
  return text;
}

function exeOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}

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

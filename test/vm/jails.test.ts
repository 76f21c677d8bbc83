/**
 * Jails on a Debian host with systemd and its unmodified kernel, under both drivers: what a tenant tries inside, what keeps
 * inside and outside apart, the agent, and turning it off again. The next boot: test/vm/long/jails-boot.test.ts.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite, test } from 'node:test';
import { eventually, longPatienceMilliseconds } from '../../testing/patience.ts';
import { shellQuote } from '../../testing/vm/command.ts';
import { guestOfSuite, prepareGuests } from '../../testing/vm/suite.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { copyPackages, installCopied } from './jails/packages.ts';

const guests = await prepareGuests(import.meta.filename, 'bpf');
const patient = { timeout: longPatienceMilliseconds };

/** `dora` has no jail, and of `eve` only a site has one. */
const profiles = { alice: 'shell', bob: 'web', carol: 'strict', dora: 'none' } as const;
const uids = { alice: 4201, bob: 4202, carol: 4203, dora: 4204, eve: 4205 } as const;
const siteOfEve = `<tenant user="eve"><site name="shop.example"><jail profile="web" home="/home/eve/shop"/></site></tenant>`;
type User = keyof typeof uids;

const policyText = (driver: string, jails = true) =>
  `<bulkhead version="1"><host driver="${driver}"/><agent interval="1s"/>
  ${Object.entries(profiles)
    .map(
      ([user, profile]) =>
        `<tenant user="${user}"><processes limit="50"/>${jails ? `<jail profile="${profile}"/>` : ''}</tenant>`,
    )
    .join('\n  ')}
  ${jails ? siteOfEve : ''}
</bulkhead>\n`;

/** The ways by which test/vm/jails/apart.c tries to reach a process in another mount namespace. */
const reaching =
  'root root/etc cwd fd/0 ns/mnt ns/ipc mem environ exe process_vm_readv pidfd_getfd kcmp ptrace'.split(
    ' ',
  );
/** The ways by which the same program starts others. */
const starting = [
  'program',
  'script',
  'descriptor',
  'memory',
  'linker',
  'setuid without effect',
  'setgid without effect',
  'su',
  'setuid',
  'setgid',
] as const;

/** A mail server that asks its client for a password. msmtp gets it from a command of the tenant's. */
const mailServer = String.raw`use Socket; $SIG{CHLD} = 'IGNORE'; $SIG{PIPE} = 'IGNORE';
socket my $s, PF_INET, SOCK_STREAM, 0; setsockopt $s, SOL_SOCKET, SO_REUSEADDR, 1;
bind $s, sockaddr_in(2525, INADDR_LOOPBACK) or die $!; listen $s, 9; print "listening
"; close STDOUT;
while (accept my $c, $s) { next if fork; syswrite $c, "220 x
";
  while (<$c>) { syswrite $c, /^EHLO/i ? "250-x
250 AUTH PLAIN
" : /^QUIT/i ? "221 x
" : /^DATA/i ? "354 x
" : "250 x
" } exit }`;

const answersOf = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => {
        const at = line.lastIndexOf(' ');
        return [line.slice(0, at), line.slice(at + 1)];
      }),
  );
const reached = (answers: Readonly<Record<string, string>>) =>
  Object.entries(answers).flatMap(([what, answer]) => (answer === 'ok' ? [what] : []));

suite('jails and the BPF programs that isolate them', { skip: guests.skip }, () => {
  const directory = suiteDirectory('jails');
  const apply = (text: string) =>
    succeed('cat > /etc/bulkhead/policy.xml && bulkhead apply --quiet', text);
  const inside = (user: User, words: string) =>
    `bulkhead exec ${user} -- /home/${user}/apart ${words}`;
  /** Returns a command that becomes a user as a daemon does, without starting another program. */
  const outside = (user: User, words: string) => `/usr/local/share/apart as ${uids[user]} ${words}`;
  /** Starts one that is reached; answers its process id and an address. */
  const hold = async (name: string, command: string) => {
    await succeed(`setsid nohup ${command} > /root/${name} 2> /root/${name}.log < /dev/null &`);
    await until(`[ -s /root/${name} ]`, `cat /root/${name}.log`);
    return (await succeed(`cat /root/${name}`)).trim();
  };
  const take = async (user: User, from: typeof inside) =>
    answersOf(await succeed(from(user, `take /home/${user}/top`)));
  const started = async (command: string) => {
    const answers = answersOf(await succeed(command));
    assert.deepEqual(Object.keys(answers), starting);
    for (const answer of Object.values(answers)) assert.match(answer, /^(ok|EPERM)$/);
    return reached(answers);
  };
  /**
   * Returns what a command from the tenant's msmtp configuration wrote. It runs the broker's copy of msmtp in the same
   * way as the broker, but with the tenant's home: chroot has the launcher's name for that.
   */
  const mail = async () => {
    await succeed('rm -f /home/alice/ran');
    await run(
      `cp /usr/sbin/chroot /usr/local/sbin/bulkhead-exec; echo hello | HOME=/home/alice timeout 600 /usr/local/sbin/bulkhead-exec --userspec=+4201:+4201 / /var/lib/bulkhead/broker/sendmail x@example.org`,
    );
    return (await run('cat /home/alice/ran')).stdout;
  };
  const status = async () =>
    JSON.parse(await succeed('bulkhead jail status --json')) as {
      readonly jails: readonly { readonly uid: number; readonly state: string }[];
      readonly apart: {
        readonly level: string;
        readonly reason: string | null;
        readonly refused: Readonly<Record<string, number>> | null;
      };
    };
  const pinned = () => succeed('ls /sys/fs/bpf/bulkhead 2>/dev/null || true');
  const isApart = async () =>
    (await run(outside('alice', 'userns'))).stdout === 'clone EPERM\nunshare EPERM\n';

  const { run, succeed, until } = guestOfSuite(guests, async (guest) => {
    for (const [name, source] of [
      ['apart', './jails/apart.c'],
      ['escape', '../jail/attacks/escape.c'],
    ] as const) {
      const path = fileURLToPath(new URL(source, import.meta.url));
      execFileSync('gcc', ['-O2', '-Wall', '-static', '-o', join(directory, name), path]);
    }
    for (const name of ['apart', 'escape'])
      await guest.copyIn(join(directory, name), `/usr/local/share/${name}`);
    for (const [user, uid] of Object.entries(uids))
      await succeed(
        `useradd -u ${uid} -m -s /bin/sh ${user} && chmod 711 /home/${user} && for i in apart escape; do install -m 755 /usr/local/share/$i /home/${user}/; done`,
      );
    await succeed(
      `mkdir -p /etc/bulkhead; sysctl -q kernel.yama.ptrace_scope=0; install -d -o eve -g eve /home/eve/shop
for i in alice eve; do printf '#!/bin/sh\n' > /home/$i/script; chmod 755 /home/$i/script; done
install -m 4755 -o alice /usr/local/share/apart /home/alice/setuid`,
    );
    await copyPackages(guest, ['msmtp']);
  });

  for (const driver of ['systemd', 'cgroup2'] as const)
    test(`no attack leaves a jail of any profile, on ${driver}`, patient, async () => {
      await apply(policyText(driver));
      for (const user of ['alice', 'bob', 'carol'] as const) {
        const text = await succeed(`bulkhead exec ${user} -- /home/${user}/escape`);
        assert.ok(text.split('\n').length > 90, text);
        const notBlocked = text.split('\n').filter((line) => line.startsWith('NOT BLOCKED'));
        assert.deepEqual(notBlocked, [], profiles[user]);
      }
      const text = await succeed('bulkhead exec dora -- /home/dora/escape');
      assert.ok(/^NOT BLOCKED/m.test(text), 'without a jail nothing gets through either');
      const { jails, apart } = await status();
      assert.deepEqual(
        jails.map(({ uid, state }) => [uid, state]),
        [uids.alice, uids.bob, uids.carol, uids.eve].map((uid) => [uid, 'ready']),
      );
      assert.deepEqual([apart.level, apart.reason], ['full', null]);
      assert.match(await succeed('bulkhead doctor'), /4 ready; kept apart by the kernel: full/);
    });

  test('a tenant reaches past its jail without the BPF programs', patient, async () => {
    await succeed('rm -r /sys/fs/bpf/bulkhead');
    const [within, out] = [
      await hold('within', inside('alice', 'hold within /home/alice/within')),
      await hold('out', outside('alice', 'hold out /home/alice/top')),
    ];
    await hold('root', '/usr/local/share/apart hold root /run/apart-root');
    // The kernel detaches programs one by one, a moment after their pins are gone.
    const all = async (command: string, count: number) => {
      let found: readonly string[] = [];
      await eventually(`nothing keeps it from "${command}"`, async () => {
        found = reached(answersOf(await succeed(command)));
        return found.length === count;
      });
      return found;
    };
    await all(outside('alice', 'userns'), 2);
    assert.deepEqual(await all(outside('alice', `reach ${within}`), reaching.length), reaching);
    assert.deepEqual(await all(inside('alice', `reach ${out}`), reaching.length), reaching);
    await all(inside('bob', 'sockets root'), 3);
    assert.deepEqual(await take('alice', inside), { directory: 'ok', file: 'ok', socket: 'ok' });
    assert.deepEqual(await started(outside('alice', 'run /home/alice/script')), starting);
    const { apart } = await status();
    assert.equal(apart.level, 'none');
    assert.match(apart.reason ?? '', /run: bulkhead apply/);
    assert.match(await succeed('bulkhead plan'), /keep jails and the host apart by BPF programs/);
  });

  test('BPF programs keep jail and host apart, from either side', patient, async () => {
    const before = await pinned();
    await succeed('bulkhead apply --quiet');
    assert.notEqual(await pinned(), before);
    const [within, out] = [await succeed('cat /root/within'), await succeed('cat /root/out')];
    for (const command of [
      outside('alice', `reach ${within.trim()}`),
      inside('alice', `reach ${out.trim()}`),
    ]) {
      const answers = answersOf(await succeed(command));
      assert.deepEqual(Object.keys(answers), reaching);
      assert.deepEqual(reached(answers), [], command);
    }
    for (const command of [inside('bob', 'sockets root'), outside('bob', 'sockets within')])
      assert.deepEqual(answersOf(await succeed(command)), {
        stream: 'EPERM',
        datagram: 'EPERM',
        'connected datagram': 'EPERM',
      });
    assert.deepEqual(await take('alice', inside), {
      directory: 'EPERM',
      file: 'EPERM',
      socket: 'EPERM',
    });
    assert.deepEqual(await started(outside('alice', 'run /home/alice/script')), []);
    for (const user of ['alice', 'bob', 'carol'] as const) {
      const text = await succeed(outside(user, 'userns'));
      assert.deepEqual(reached(answersOf(text)), [], user);
    }
    const { refused, level } = (await status()).apart;
    assert.equal(level, 'full');
    for (const [kind, count] of Object.entries(refused ?? {})) assert.ok(count > 0, kind);
  });

  test("a tenant's programs start in its jail only", patient, async () => {
    const script = 'run /home/alice/script';
    assert.deepEqual(await started(inside('alice', script)), starting);
    assert.deepEqual(await started(`unshare --mount ${outside('alice', script)}`), []);
    assert.deepEqual(await started(outside('dora', script)), starting);
    assert.deepEqual(await started(outside('eve', 'run /home/eve/script')), starting);
    // The setuid file gives the process alice's uid, but dora starts it.
    const others = starting.filter((each) => each !== 'script');
    assert.deepEqual(await started(outside('dora', 'run /home/alice/setuid')), others);
    const library = async (user: User, file: string) =>
      answersOf(await succeed(outside(user, `load ${file}`)));
    const [own, root] = ['/home/alice/apart', '/bin/true'];
    await succeed(`chown alice ${own}`);
    assert.deepEqual(await library('alice', own), { readable: 'ok', library: 'EPERM' });
    assert.deepEqual(await library('alice', root), { readable: 'ok', library: 'ok' });
    assert.deepEqual(await library('dora', own), { readable: 'ok', library: 'ok' });
    for (const command of [
      'setpriv --reuid alice --regid alice --init-groups true',
      'su alice -c true',
    ])
      assert.notEqual((await run(command)).status, 0, command);
    // An administrator may, and what that starts.
    const without = `bulkhead exec --without-jail alice -- ${own} ${script}`;
    assert.deepEqual(await started(without), starting);
    // The broker may start few.
    const forJail = async (command: string) =>
      (await run(`bulkhead exec --for-jail alice -- ${command}`)).status !== 126;
    for (const command of ['/usr/bin/crontab -l', '/usr/bin/passwd --help'])
      assert.ok(await forJail(command), command);
    for (const command of [`${own} userns`, '/bin/true', '/usr/bin/su --version'])
      assert.ok(!(await forJail(command)), command);
  });

  test('a mail program runs no command that a tenant has configured', patient, async () => {
    await succeed(installCopied('msmtp'));
    await succeed(`ln -sf /usr/bin/msmtp /usr/sbin/sendmail
cat > /home/alice/.msmtprc <<'EOF'
account default
host 127.0.0.1
port 2525
from a@example.org
auth plain
user a
passwordeval "id -u > /home/alice/ran; echo x"
EOF
chown alice /home/alice/.msmtprc; chmod 600 /home/alice/.msmtprc
cp /opt/bulkhead/packaging/bulkhead-broker* /etc/systemd/system/
systemctl daemon-reload && systemctl start bulkhead-broker.socket && bulkhead apply --quiet`);
    await hold('server', `perl -e ${shellQuote(mailServer)}`);
    const sent = await run('echo hello | bulkhead exec alice -- /usr/sbin/sendmail x@example.org');
    // There is no configuration but the tenant's, which is not read.
    assert.match(sent.stderr, /account default not found/);
    assert.equal(await mail(), '');
    await succeed('rm -r /sys/fs/bpf/bulkhead');
    await eventually('without the programs it is run', async () => (await mail()) === '4201\n');
    await succeed('bulkhead apply --quiet');
    assert.equal(await mail(), '');
  });

  test('own processes and sockets, root and others are not refused', patient, async () => {
    const within = (await succeed('cat /root/within')).trim();
    assert.deepEqual(
      reached(answersOf(await succeed(inside('alice', `reach ${within}`)))),
      reaching,
    );
    assert.equal(reached(answersOf(await succeed(inside('alice', 'sockets out')))).length, 3);
    assert.deepEqual(
      reached(answersOf(await succeed(`/usr/local/share/apart reach ${within}`))),
      reaching,
    );
    assert.equal(reached(answersOf(await succeed(outside('dora', 'sockets root')))).length, 3);
    assert.equal(reached(answersOf(await succeed(outside('dora', 'userns')))).length, 2);
    assert.match(await succeed('bulkhead exec alice -- ps -e -o comm='), /^ps$/m);
  });

  test('jail refusals become incidents of the tenant', patient, async () => {
    await succeed(`cp /opt/bulkhead/packaging/bulkhead.service /opt/bulkhead/packaging/bulkhead-jail.service /etc/systemd/system/
mkdir -p /etc/systemd/system/bulkhead.service.d
printf '[Service]\\nTimeoutStartSec=infinity\\nWatchdogSec=0\\n' > /etc/systemd/system/bulkhead.service.d/patient.conf
systemctl daemon-reload && systemctl start bulkhead`);
    await until('bulkhead status > /dev/null 2>&1');
    await succeed(inside('bob', 'sockets root'));
    await until('bulkhead faults bob --limit jail 2>/dev/null | grep -q "jail.*refused"');
    const { incidents } = JSON.parse(await succeed('bulkhead faults bob --limit jail --json')) as {
      readonly incidents: readonly { readonly id: number }[];
    };
    const id = incidents[0]?.id ?? 0;
    await until(`bulkhead incident ${id} | grep -q "abstract socket"`);
    const text = (await succeed(`bulkhead incident ${id}`)).replaceAll(/\s+/g, ' ');
    assert.match(text, /bob was refused \d+ times what leads past its jail/);
    assert.match(text, /apart tried to reach the abstract socket "root" of root/);
    // Somebody removes them: the agent has its unit bring them back.
    await succeed('rm -r /sys/fs/bpf/bulkhead; systemctl restart bulkhead');
    await until('ls /sys/fs/bpf/bulkhead/jail-* > /dev/null 2>&1');
    await succeed('systemctl stop bulkhead');
  });

  test('jail sync works without BPF, and status reports what is open', patient, async () => {
    await apply(policyText('cgroup2'));
    await succeed('rm -r /sys/fs/bpf/bulkhead');
    const without = (command: string) =>
      run(
        `mount -t tmpfs none /sys/kernel/security; ${command}; code=$?; umount /sys/kernel/security; exit $code`,
      );
    const refreshed = await without('bulkhead jail sync');
    assert.equal(refreshed.status, 0, refreshed.stderr);
    assert.equal(await pinned(), '');
    const { stdout } = await without('bulkhead jail status');
    assert.match(
      stdout.replaceAll(/\s+/g, ' '),
      /Kept apart from the host by the kernel: partial, because it is unknown whether BPF is in force.* Landlock holds what is inside, but a process of the same uid/,
    );
    assert.match(
      (await without('bulkhead doctor --security')).stdout.replaceAll(/\s+/g, ' '),
      /jails kept apart by the kernel: partial/,
    );
    await succeed('bulkhead apply --quiet');
    assert.ok(await isApart());
  });

  test('a policy without jails, and release, leave no BPF program', patient, async () => {
    await apply(policyText('cgroup2', false));
    assert.equal(await pinned(), '');
    await apply(policyText('cgroup2'));
    assert.match(await pinned(), /^jail-[0-9a-z]+-[0-9a-f]+\n$/);
    await succeed('bulkhead release --kill');
    assert.equal(await pinned(), '');
    assert.equal(
      await succeed('ls -d /run/bulkhead/jail /sys/fs/bpf/bulkhead 2>/dev/null || true'),
      '',
    );
    assert.ok(!(await isApart()));
  });
});

/**
 * Jails at login, with Debian's own sshd, su, cron and at: what the first program of a session sees, attempts of a
 * tenant to stay outside, and who can log in whatever is missing.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename, 'pam');
const timeout = longPatienceMilliseconds;

const accounts = { alice: 3001, bob: 3002, carol: 2001 } as const;
const tree = '/bulkhead-tenants.service';
const module = `/opt/bulkhead/dist/entry/${process.arch}/pam_bulkhead.so`;
/** The profile of the jail, and the cgroup. */
const where = 'cat /run/bulkhead/profile 2>/dev/null || echo outside; cat /proc/self/cgroup';
const inside = (profile = 'web') => `${profile}\n0::${tree}/u3001`;
const options =
  '-F none -i /root/keys/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR';
const ssh = `ssh ${options} -o BatchMode=yes`;
const at = 'alice@127.0.0.1';

suite('jails at login in the virtual machine', { skip: guests.skip, timeout }, () => {
  let pristine = '';

  const say = async (command: string) => (await succeed(command)).trim();
  const apply = async (alice: string, driver = 'cgroup2') => {
    const tenants = `<tenant user="alice">${alice}<processes limit="60"/></tenant><tenant user="bob"/>`;
    await write(
      '/etc/bulkhead/policy.xml',
      `<bulkhead version="1"><host driver="${driver}"/>${tenants}</bulkhead>\n`,
    );
    await succeed('bulkhead apply --quiet');
  };
  const su = (user: string, command = where) => say(`su -s /bin/sh ${user} -c '${command}'`);
  const bytes = () =>
    succeed('cd / && sha256sum etc/pam.d/* var/lib/pam/* usr/share/pam-configs/*');
  const logged = () => succeed('journalctl --no-pager -q -o cat -g "jail|Refused user" || true');

  const host = guestOfSuite(guests, async () => {
    const make = Object.entries(accounts).map(
      ([name, uid]) =>
        `useradd -m -u ${uid} -s /bin/sh ${name} && echo '${name}:pass-${name}' | chpasswd`,
    );
    await succeed(
      [
        'set -e',
        ...make,
        'mkdir /root/keys && ssh-keygen -q -t ed25519 -N "" -f /root/keys/id',
        'for home in /home/alice /home/carol /root; do mkdir -p -m 700 $home/.ssh; cp /root/keys/id.pub $home/.ssh/authorized_keys; done',
        'chown -R alice: /home/alice/.ssh; chown -R carol: /home/carol/.ssh',
        'printf "#!/bin/sh\\necho pass-alice\\n" > /root/keys/ask && chmod 755 /root/keys/ask',
        'systemctl start ssh cron atd',
      ].join('\n'),
    );
    pristine = await bytes();
  });
  const { run, succeed, write } = host;

  test('pam enable adds pam_bulkhead only when a tenant has a jail', { timeout }, async () => {
    await apply('');
    assert.doesNotMatch(await succeed('bulkhead pam enable --dry-run'), /pam_bulkhead\.so jail/);
    await apply('<jail profile="web"/>');
    assert.match(
      await succeed('bulkhead pam status'),
      /not enabled; .*\n.*outside it; run "bulkhead pam/,
    );
    assert.match(await succeed('bulkhead jail status'), /Not entered by ssh: /);
    assert.match(
      await succeed('bulkhead pam enable --dry-run'),
      /^\+session\t\[.*pam_bulkhead\.so jail$/m,
    );
    assert.equal(await bytes(), pristine);
    await succeed('bulkhead pam enable');
    assert.match(await succeed('bulkhead pam enable'), /already/);
    const last = await succeed('grep -v "^#" /etc/pam.d/common-session | tail -n 5');
    assert.match(
      last,
      /pam_systemd\.so[^]*pam_bulkhead\.so jail\nsession\trequisite\tpam_listfile/,
    );
    const status = await succeed('bulkhead pam status');
    for (const service of ['sshd', 'su', 'cron', 'atd'])
      assert.match(status, new RegExp(`^${service} .* entered$`, 'm'));
    assert.match(await succeed('bulkhead jail status'), /Entered at login: ssh, su, cron, at/);
    assert.match(await succeed('bulkhead doctor'), /^ssh +at login +entered/m);
  });

  test('ssh enters the jail by key, password, terminal, sftp and scp', { timeout }, async () => {
    const ways = [
      `${ssh} ${at} '${where}'`,
      `${ssh} -tt ${at} '${where}' </dev/null | tr -d '\\r'`,
      `SSH_ASKPASS=/root/keys/ask SSH_ASKPASS_REQUIRE=force ssh ${options} -o PubkeyAuthentication=no ${at} '${where}'`,
      `printf 'get /run/bulkhead/profile /tmp/a\\nget /proc/self/cgroup /tmp/b\\n' | sftp -q ${options} -b - ${at} >/dev/null && cat /tmp/a /tmp/b`,
      `scp -q ${options} ${at}:/run/bulkhead/profile /tmp/c && scp -q ${options} ${at}:/proc/self/cgroup /tmp/d && cat /tmp/c /tmp/d`,
    ];
    for (const way of ways) assert.equal(await say(way), inside(), way);
    assert.match(await say(`${ssh} -tt ${at} tty </dev/null`), /^\/dev\/pts\/\d+$/);
    const seen = await say(
      `touch /tmp/of-the-host; ${ssh} ${at} 'pwd; ls /home /tmp; grep -c : /etc/passwd; ls -d /proc/1 2>&1; ls /sys; grep -E "^(NoNewPrivs|CapBnd|Seccomp):" /proc/self/status'`,
    );
    assert.match(seen, /^\/home\/alice\n\/home:\nalice\n\n\/tmp:\n\d+\nls: cannot access/);
    assert.match(seen, /CapBnd:\t0+\nNoNewPrivs:\t1\nSeccomp:\t2/);
  });

  test('ssh forwarding reaches the network, and no socket of the host', { timeout }, async () => {
    await write(
      '/root/listen.py',
      'import socket\ns = socket.socket(socket.AF_UNIX); s.bind("/run/outside.sock"); s.listen(9)\nwhile True: s.accept()[0].sendall(b"OUTSIDE")\n',
    );
    await write(
      '/root/ask.py',
      'import socket, sys\ns = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); print(s.recv(7).decode())\n',
    );
    await succeed(
      'python3 /root/listen.py >/dev/null 2>&1 & until [ -S /run/outside.sock ]; do sleep 0.1; done; chmod 777 /run/outside.sock',
    );
    const forwards = '-L 9000:127.0.0.1:22 -L 9001:/run/outside.sock';
    await succeed(
      `${ssh} -f -N -o ExitOnForwardFailure=yes ${forwards} ${at} </dev/null >/dev/null 2>&1`,
    );
    assert.equal(await say('python3 /root/ask.py 9000'), 'SSH-2.0');
    assert.doesNotMatch((await run('python3 /root/ask.py 9001')).stdout, /OUTSIDE/);
    await succeed(
      `${ssh} -f -N -L 9002:/run/outside.sock carol@127.0.0.1 </dev/null >/dev/null 2>&1`,
    );
    assert.equal(await say('python3 /root/ask.py 9002'), 'OUTSIDE', 'for others it does');
    const processes = await say(
      'for pid in $(pgrep -u alice); do readlink /proc/$pid/ns/mnt; done | sort -u',
    );
    const status = JSON.parse(await succeed('bulkhead jail status --json'));
    assert.equal(processes, `mnt:[${status.jails[0].namespace}]`);
    assert.equal(status.jails[0].outside.length, 0);
    assert.ok(status.jails[0].inside.length > 0);
    await succeed('pkill -u alice; pkill -u carol; pkill -f [l]isten.py');
  });

  test('su enters the jail, and login runs nothing outside', { timeout }, async () => {
    assert.equal(await su('alice'), inside());
    assert.equal(await say(`su - alice -c '${where}; pwd'`), `${inside()}\n/home/alice`);
    const fromBob = `echo pass-alice | su alice -c '${where}' 2>/dev/null`;
    assert.equal(
      (await host.guest.succeed(fromBob, { user: 'bob', timeoutMs: timeout })).trim(),
      inside(),
    );
    await succeed(
      `printf '#!/bin/sh\\n{ ${where}; } > /home/alice/console\\n' > /usr/local/bin/where; chmod 755 /usr/local/bin/where; usermod -s /usr/local/bin/where alice`,
    );
    // login opens the terminal once more by its name, and the host's terminal has no name inside: the session ends at
    // once.
    await run("script -qec 'login -f alice' /dev/null </dev/null");
    await succeed('usermod -s /bin/sh alice; bulkhead apply --quiet');
    assert.equal(await say('cat /home/alice/console 2>/dev/null || echo none'), 'none');
    assert.equal(await say('cat /run/bulkhead/profile 2>/dev/null || echo outside'), 'outside');
  });

  test('cron and at enter the jail, whatever variables their jobs set', { timeout }, async () => {
    await write(
      '/tmp/tab',
      `SHELL=/bin/sh\nLD_PRELOAD=/home/alice/none.so\nMAILTO=""\n* * * * * { ${where}; } > /home/alice/cron 2>/dev/null\n`,
    );
    await succeed('crontab -u alice /tmp/tab');
    await write('/etc/cron.d/where', `* * * * * root { ${where}; } > /root/cron\n`);
    await succeed(
      `echo '{ ${where}; } > /home/alice/at' | bulkhead exec --without-jail alice -- /usr/bin/at now 2>/dev/null`,
    );
    await succeed(
      'for file in /home/alice/at /home/alice/cron /root/cron; do until [ -s $file ]; do sleep 0.2; done; done; rm /etc/cron.d/where; crontab -u alice -r',
    );
    assert.equal(await say('cat /home/alice/at'), inside());
    assert.equal(await say('cat /home/alice/cron'), inside());
    assert.equal(await say('cat /root/cron'), 'outside\n0::/system.slice/cron.service');
  });

  test('a session in a jail starts in /, and not in a ChrootDirectory', { timeout }, async () => {
    assert.equal(await say("cd /root && su -s /bin/sh alice -c 'pwd'"), '/');
    await succeed(`${ssh} ${at} true`);
    const of = "journalctl --no-pager -q -o cat -t sshd-session -g 'closed for user alice'";
    await succeed(`until ${of} | grep -q closed; do sleep 0.1; done`);
    await succeed(
      'mkdir -p /run/sshd; /usr/sbin/sshd -p 2222 -o PidFile=/run/other.pid -o "ChrootDirectory /"',
    );
    assert.equal((await run(`${ssh} -p 2222 carol@127.0.0.1 true`)).status, 0);
    assert.notEqual((await run(`${ssh} -p 2222 ${at} true`)).status, 0);
    await succeed('kill $(cat /run/other.pid); while [ -e /run/other.pid ]; do sleep 0.1; done');
  });

  test('root, other accounts and tenants without a jail log in outside', { timeout }, async () => {
    assert.match(await say(`${ssh} root@127.0.0.1 '${where}'`), /^outside\n.*user-0\.slice/);
    assert.match(await say(`${ssh} carol@127.0.0.1 '${where}'`), /^outside\n.*user-2001\.slice/);
    assert.equal(await su('bob'), `outside\n0::${tree}/u3002`);
    assert.equal(await su('carol', 'grep NoNewPrivs /proc/self/status'), 'NoNewPrivs:\t0');
  });

  test('package upgrades and policy changes show in jails at once', { timeout }, async () => {
    await succeed(
      `${ssh} ${at} 'until [ -e go1 ]; do sleep 0.1; done; upgraded > one 2>&1; cat /run/bulkhead/profile > two' </dev/null >/dev/null 2>&1 & sleep 0`,
    );
    await succeed(
      "printf '#!/bin/sh\\necho new\\n' > /usr/bin/upgraded.dpkg-new; chmod 755 /usr/bin/upgraded.dpkg-new; mv /usr/bin/upgraded.dpkg-new /usr/bin/upgraded",
    );
    await apply('<jail profile="shell"/>');
    assert.equal(await say(`${ssh} ${at} '${where}'`), inside('shell'));
    await succeed('touch /home/alice/go1; until [ -s /home/alice/two ]; do sleep 0.1; done');
    assert.equal(await say('cat /home/alice/one /home/alice/two'), 'new\nweb', 'the open session');
    await apply('');
    assert.equal(await su('alice'), `outside\n0::${tree}/u3001`);
    await apply('<jail profile="web"/>');
    assert.equal(await su('alice'), inside());
  });

  /** Checks that no program of alice runs, by any entry path, and that tenants without a jail can log in. */
  const refused = async (how: string) => {
    const commands = [
      `${ssh} ${at} 'touch /home/alice/ran'`,
      `echo 'put /etc/hostname /home/alice/ran' | sftp -q ${options} -b - ${at}`,
      `su -s /bin/sh alice -c 'touch /home/alice/ran'`,
      `su - alice -c 'touch /home/alice/ran'`,
      // It goes into the background, with success, once the port is open.
      `${ssh} -f -N -o ExitOnForwardFailure=yes -R 9009:127.0.0.1:22 ${at} </dev/null`,
    ];
    const tried = commands.map((each) => `{ ${each}; } >/dev/null 2>&1; echo $?`);
    const others = [
      `${ssh} root@127.0.0.1 echo root`,
      `${ssh} carol@127.0.0.1 echo carol`,
      `su -s /bin/sh bob -c 'echo bob'`,
      'ls /home/alice/ran 2>/dev/null || echo nothing',
    ];
    const said = (await say([...tried, ...others].join('\n'))).split('\n');
    assert.deepEqual(said, ['254', '255', '1', '1', '255', 'root', 'carol', 'bob', 'nothing'], how);
  };

  test(
    'no jailed session starts while Bulkhead is gone, and others log in',
    { timeout },
    async () => {
      const broken = [
        ['mv /run/bulkhead /run/gone', 'mv /run/gone /run/bulkhead'],
        [`mv ${module} /root/module`, `mv /root/module ${module}`],
        [`mv ${module} /root/module; echo x > ${module}`, `mv -f /root/module ${module}`],
        ['umount /run/bulkhead/jail/vault', 'bulkhead apply --quiet'],
        ['mv /opt/bulkhead /opt/gone', 'mv /opt/gone /opt/bulkhead'],
      ] as const;
      for (const [breakIt, repair] of broken) {
        await succeed(breakIt);
        await refused(breakIt);
        await succeed(repair);
        assert.equal(await su('alice'), inside(), repair);
      }
      const said = await logged();
      assert.match(
        said,
        /no session for alice, whose jail cannot be entered: .*; run bulkhead apply/,
      );
      assert.match(said, /Refused user alice/);
      assert.doesNotMatch(said, /(?:carol|bob|root)\b.*jail/);
    },
  );

  test('no jailed session starts between boot and the first apply', { timeout }, async () => {
    await succeed('umount -l /run/bulkhead/jail/vault /run/bulkhead/jail; rm -r /run/bulkhead');
    await refused('restarted');
    await succeed('bulkhead apply --quiet');
    assert.equal(await su('alice'), inside());
  });

  test('a tenant cannot log in outside its jail, and cannot leave it', { timeout }, async () => {
    // Attempts through files that sshd runs before or instead of the command.
    await write('/home/alice/.ssh/rc', `{ ${where}; } > /home/alice/rc\n`);
    await write(
      '/home/alice/.ssh/environment',
      'LD_PRELOAD=/home/alice/x.so\nBULKHEAD_INSTANCE=x\n',
    );
    await write('/home/alice/.pam_environment', 'LD_PRELOAD=/home/alice/x.so\nPAM_USER=carol\n');
    await write('/home/alice/.profile', `{ ${where}; } > /home/alice/profile\n`);
    await succeed('chown alice: /home/alice/.ssh/* /home/alice/.p*; mkdir -p /run/sshd');
    assert.equal(await say(`${ssh} ${at} '${where}'`), inside());
    assert.equal(await say('cat /home/alice/rc'), inside());
    await succeed(
      `echo exit | ${ssh} -tt ${at}; until [ -s /home/alice/profile ]; do sleep 0.1; done`,
    );
    assert.equal(await say('cat /home/alice/profile'), inside());
    const server = (option: string) =>
      succeed(`/usr/sbin/sshd -p 2222 -o PidFile=/run/other.pid -o "${option}"`);
    const stop = 'kill $(cat /run/other.pid); while [ -e /run/other.pid ]; do sleep 0.1; done';
    for (const option of [
      'ForceCommand sh -c "{ $SSH_ORIGINAL_COMMAND; }"',
      'AcceptEnv *',
      'PermitUserEnvironment yes',
    ]) {
      await server(option.replaceAll('"', '\\"').replaceAll('$', '\\$'));
      const tricks = `-o SetEnv="LD_PRELOAD=/home/alice/x.so PAM_USER=root ENV=/tmp/x"`;
      const seen = await say(
        `${ssh} -p 2222 ${tricks} ${at} 'cat /run/bulkhead/profile' 2>/dev/null`,
      );
      assert.equal(seen, 'web', option);
      await succeed(stop);
    }
    await server('Subsystem sftp internal-sftp');
    const sftp = `printf 'ls -1 /home\\nget /run/bulkhead/profile /tmp/e\\n' | sftp -q -P 2222 ${options} -b - ${at}`;
    assert.match(await say(`${sftp}; cat /tmp/e`), /\/home\/alice\nsftp> get .*\nweb$/);
    await succeed(stop);
    await succeed('rm /home/alice/.ssh/rc /home/alice/.ssh/environment /home/alice/.p*');

    // Attempts from inside: nothing leads to another identity, or back to the host.
    const attempts = [
      'su carol -c true',
      'echo pass-carol | su carol -c true',
      'sudo -n true',
      'newuidmap $$ 0 100000 1',
      'unshare -Ur true',
      'nsenter -t 1 -m true',
      'chroot /proc/1/root true',
      'ls /proc/1/root/',
      'busctl status',
      'systemd-run --user true',
      'loginctl enable-linger',
      'crontab -l',
      'at -l',
    ];
    await succeed('echo alice:100000:65536 > /etc/subuid; cp /etc/subuid /etc/subgid');
    for (const attempt of attempts) {
      const tried = await say(`${ssh} ${at} '${attempt} </dev/null >/dev/null 2>&1; echo $?'`);
      assert.notEqual(tried, '0', attempt);
    }

    // Each login, and an administrator's linger, would start a user manager: it is left out, without a failure.
    // Managers of earlier tests failed while there were no jails at all.
    await succeed('systemctl reset-failed; systemctl start user@3001.service');
    assert.equal(await say('systemctl is-active user@3001.service || true'), 'inactive');
    assert.equal(await say('systemctl --failed --plain --no-legend'), '');
    await succeed('systemctl start user@3002.service && systemctl stop user@3002.service');
    // The module refuses one that is started all the same.
    await succeed('mkdir -p /run/systemd/system/user@3001.service.d');
    await write(
      '/run/systemd/system/user@3001.service.d/99-own.conf',
      '[Unit]\nConditionPathExists=\n',
    );
    await succeed('systemctl daemon-reload');
    const manager = await run('systemctl start user@3001.service');
    assert.notEqual(manager.status, 0);
    assert.match(await logged(), /no user manager for alice, who has a jail/);
    await succeed(
      'rm -r /run/systemd/system/user@3001.service.d; systemctl daemon-reload; systemctl reset-failed',
    );
    const status = JSON.parse(await succeed('bulkhead jail status --json'));
    assert.equal(status.jails[0].outside.length, 0);
  });

  test('logins enter the jail while jails are rebuilt again and again', { timeout }, async () => {
    await write(
      '/root/logins',
      `while [ ! -e /root/stop ]; do su -s /bin/sh alice -c 'cat /run/bulkhead/profile || echo outside' 2>/dev/null; done > /root/seen.$1\n`,
    );
    await succeed('for n in 1 2; do sh /root/logins $n >/dev/null 2>&1 & done; sleep 0');
    for (const profile of ['shell', 'web', 'strict', 'web', 'shell'])
      await apply(`<jail profile="${profile}"/>`);
    await succeed('touch /root/stop; while pgrep -f [/]root/logins; do sleep 0.1; done');
    const seen = (await say('sort -u /root/seen.*')).split('\n');
    assert.ok(seen.length > 1);
    assert.ok(!seen.includes('outside'), seen.join());
  });

  test(
    'a login is in its logind session and in its jail with the systemd driver',
    { timeout },
    async () => {
      await succeed('bulkhead release --kill');
      await apply('<jail profile="web"/>', 'systemd');
      const [profile, cgroup = ''] = (await say(`${ssh} ${at} '${where}'`)).split('\n');
      assert.equal(profile, 'web');
      assert.match(cgroup, /user-3001\.slice\/session-/);
      assert.match(
        await su('alice'),
        /^web\n0::\/user\.slice\/user-3001\.slice\/bulkhead-3001\.scope$/,
      );
      assert.match(await say(`${ssh} root@127.0.0.1 '${where}'`), /^outside\n/);
      assert.equal(await say('systemctl --failed --plain --no-legend'), '');
      // The terminal of a session is one of the jail's own; root's keeps a name.
      assert.match(await say(`${ssh} -tt ${at} 'tty; ls /dev/pts'`), /^\/dev\/pts\/0\s+0\s+ptmx$/);
      const named = /^\/dev\/tty-std(?:in|out|err)$/m;
      assert.match(await say(`script -qec "su -s /bin/sh alice -c tty" /dev/null`), named);
      assert.match(await say(`script -qec "bulkhead exec alice -- tty" /dev/null`), named);
    },
  );

  test('pam disable restores everything, byte for byte', { timeout }, async () => {
    await succeed('bulkhead pam disable');
    assert.equal(await bytes(), pristine);
    // The kernel lets no shell of hers begin outside.
    for (const command of ["su -s /bin/sh alice -c 'touch /home/alice/ran'", `${ssh} ${at} true`])
      assert.notEqual((await run(command)).status, 0);
    assert.notEqual((await run('ls /home/alice/ran')).status, 0);
    assert.match(await succeed('bulkhead jail status'), /Not entered by ssh/);
    await succeed('bulkhead release --kill');
    assert.equal(
      await say('ls -d /etc/systemd/system/user@.service.d 2>/dev/null || echo none'),
      'none',
    );
    assert.equal(await say('ls /var/lib/bulkhead/jailed 2>/dev/null || echo none'), 'none');
  });
});

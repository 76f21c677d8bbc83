/**
 * The login step with Debian's own sshd, su, cron and at: where the first instruction of a session runs, whom it does
 * not affect, and that a login works whatever is broken. No agent runs, so that nothing else moves anybody. Refusals to
 * enable it, and its undoing, are in test/pam/enable.test.ts and test/pam/enable-refused.test.ts.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { guestOfSuite, prepareGuests } from '../../testing/vm/suite.ts';
import { longPatienceMilliseconds } from '../../testing/patience.ts';

const guests = await prepareGuests(import.meta.filename);

const timeout = longPatienceMilliseconds;
const tree = '/bulkhead-tenants.service';
const sysTree = `/sys/fs/cgroup${tree}`;
const policy = `<bulkhead version="1"><host driver="cgroup2"/>
<tenant user="alice"/><tenant user="bob"/><tenant user="odd.name"/>
<reseller user="rob"><tenant user="dave"/></reseller>
<defaults><processes limit="60"/></defaults></bulkhead>
`;
const accounts = { alice: 3001, bob: 3002, dave: 3003, rob: 3004, 'odd.name': 3005, carol: 2001 };
const where = 'cat /proc/self/cgroup';
const module = '/opt/bulkhead/dist/entry/x64/pam_bulkhead.so';

/** The shell of an account, which reports its place when it starts. */
const probe = '/usr/local/bin/where';

const options =
  '-F none -i /root/keys/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR';
const ssh = `ssh ${options} -o BatchMode=yes`;

/** The file that a library leaves behind if a root program was made to load it. */
const owned = '/tmp/owned';

suite('pam enable in the virtual machine', { skip: guests.skip, timeout }, () => {
  /** Runs a command in a su session; by default it prints its cgroup. */
  const su = async (user: string, command = where) =>
    (await succeed(`su -s /bin/sh ${user} -c '${command}'`)).trim();
  const placed = (user: keyof typeof accounts) =>
    `0::${tree}/${user === 'dave' ? `r${accounts.rob}/` : ''}u${accounts[user]}`;
  const bytes = () =>
    succeed(
      'cd / && sha256sum etc/pam.d/* var/lib/pam/* usr/share/pam-configs/* && stat -c "%n %A %U %G" etc/pam.d/*',
    );
  const services = async () => {
    const { services: found, notes } = JSON.parse(await succeed('bulkhead pam status --json')) as {
      services: { service: string; outcome: string; jumps: boolean }[];
      notes: string[];
    };
    return { of: new Map(found.map((each) => [each.service, each])), notes: notes.join('\n') };
  };

  let pristine = '';

  const host = guestOfSuite(guests, async () => {
    await write('/etc/bulkhead/policy.xml', policy);
    await write(probe, `#!/bin/sh\n${where} > /tmp/console\n`);
    const make = Object.entries(accounts).map(
      ([name, uid]) =>
        `useradd --badname -m -u ${uid} -s ${name === 'odd.name' ? probe : '/bin/sh'} ${name} && echo '${name}:pass-${name}' | chpasswd`,
    );
    await succeed(
      [
        'set -e',
        `chmod 755 ${probe}`,
        ...make,
        'mkdir /root/keys && ssh-keygen -q -t ed25519 -N "" -f /root/keys/id',
        'for home in /home/alice /home/carol /root; do mkdir -p -m 700 $home/.ssh; cp /root/keys/id.pub $home/.ssh/authorized_keys; done',
        'chown -R alice: /home/alice/.ssh; chown -R carol: /home/carol/.ssh',
        'printf "#!/bin/sh\\necho pass-alice\\n" > /root/keys/ask && chmod 755 /root/keys/ask',
        'bulkhead apply',
        // The manager of each user that pam_systemd starts takes seconds here, and is not what is tested.
        'systemctl mask user@.service',
        'systemctl start ssh cron atd',
      ].join('\n'),
    );
    pristine = await bytes();
  });
  const { run, succeed, write } = host;

  test(
    'pam enable does what its --dry-run shows, and status reports placed services',
    { timeout },
    async () => {
      assert.match((await services()).notes, /enable" enables it/);
      const shown = await succeed('bulkhead pam enable --dry-run');
      assert.match(
        shown,
        /^\+session\t\[success=2 perm_denied=die default=ignore\]\t.*pam_bulkhead\.so place systemd$/m,
      );
      assert.equal(await bytes(), pristine);
      await succeed('bulkhead pam enable');
      assert.match(await succeed('bulkhead pam enable'), /already/);
      const { of, notes } = await services();
      for (const each of ['sshd', 'su', 'su-l', 'login'])
        assert.deepEqual([of.get(each)?.outcome, of.get(each)?.jumps], ['placed', true], each);
      for (const each of ['cron', 'atd'])
        assert.deepEqual([of.get(each)?.outcome, of.get(each)?.jumps], ['placed', false], each);
      assert.equal(notes, '');
      // Looked at by the test that follows them, when their minute has come.
      const job = (user: string) => `* * * * * ${user} ${where} > /tmp/cron.${user}\n`;
      await write('/etc/cron.d/where', [job('alice'), job('carol'), job('root')].join(''));
    },
  );

  test('ssh is placed by key, password, terminal, sftp, scp, forwarding', { timeout }, async () => {
    const at = 'alice@127.0.0.1';
    const ways = [
      `${ssh} ${at} ${where}`,
      `${ssh} -tt ${at} ${where} </dev/null`,
      `SSH_ASKPASS=/root/keys/ask SSH_ASKPASS_REQUIRE=force ssh ${options} -o PubkeyAuthentication=no ${at} ${where}`,
      `echo 'get /proc/self/cgroup /tmp/sftp' | sftp -q ${options} -b - ${at} >/dev/null && cat /tmp/sftp`,
      `scp -q ${options} ${at}:/proc/self/cgroup /tmp/scp && cat /tmp/scp`,
    ];
    for (const way of ways) assert.equal((await succeed(way)).trim(), placed('alice'), way);
    const forwarded = await succeed(
      `${ssh} -f -N -o ExitOnForwardFailure=yes -L 127.0.0.1:9000:127.0.0.1:22 ${at} </dev/null >/dev/null 2>&1
       ssh-keyscan -t ed25519 -p 9000 127.0.0.1 2>/dev/null | grep -c ssh-ed25519
       pids=$(pgrep -u alice) && for pid in $pids; do cat /proc/$pid/cgroup; done
       cat "/proc/$(pgrep -f '[s]shd-session: alice .priv.')/cgroup"
       pkill -u alice`,
    );
    const [count, ...cgroups] = forwarded.trim().split('\n');
    assert.equal(count, '1');
    assert.ok(cgroups.length >= 2);
    assert.deepEqual(new Set(cgroups), new Set([placed('alice')]));
  });

  test('su from root and from another tenant is placed, and login is', { timeout }, async () => {
    for (const user of ['alice', 'bob', 'dave', 'odd.name'] as const)
      assert.equal(await su(user), placed(user));
    const fromAlice = (command: string) =>
      host.guest.succeed(`echo pass-bob | su ${command} 2>/dev/null`, { user: 'alice' });
    assert.equal((await fromAlice(`bob -c '${where}'`)).trim(), placed('bob'));
    assert.equal((await fromAlice(`- bob -c '${where}'`)).trim(), placed('bob'));
    // Its shell is the probe, since login drops what was typed before.
    await succeed("script -qec 'login -f odd.name' /dev/null </dev/null");
    assert.equal((await succeed('cat /tmp/console')).trim(), placed('odd.name'));
    assert.equal((await succeed('cat /proc/1/cgroup')).trim(), '0::/init.scope');
  });

  test('cron and at jobs of tenants are placed, and the daemons are not', { timeout }, async () => {
    await succeed(`echo '${where} > /tmp/at.alice' | su alice -c 'at now' 2>/dev/null`);
    await succeed(`echo '${where} > /tmp/at.carol' | su carol -c 'at now' 2>/dev/null`);
    await succeed(
      'for file in cron.alice cron.carol cron.root at.alice at.carol; do until [ -s /tmp/$file ]; do sleep 0.2; done; done; rm /etc/cron.d/where',
    );
    const found = await succeed(
      'cd /tmp && tail -qn 1 cron.alice cron.carol cron.root at.alice at.carol',
    );
    assert.deepEqual(found.trim().split('\n'), [
      placed('alice'),
      '0::/system.slice/cron.service',
      '0::/system.slice/cron.service',
      placed('alice'),
      '0::/system.slice/atd.service',
    ]);
    const daemons = await succeed(
      'for name in cron atd; do cat /proc/$(pgrep -o -x $name)/cgroup; done',
    );
    assert.equal(daemons, '0::/system.slice/cron.service\n0::/system.slice/atd.service\n');
  });

  test('root, other accounts and resellers are left to pam_systemd', { timeout }, async () => {
    for (const [user, uid] of [
      ['root', 0],
      ['carol', 2001],
      ['rob', 3004],
    ] as const)
      assert.match(await su(user), new RegExp(`/user-${uid}\\.slice/session-`));
    assert.match(await succeed(`${ssh} carol@127.0.0.1 ${where}`), /\/user-2001\.slice\//);
    assert.match(await succeed(`${ssh} root@127.0.0.1 ${where}`), /\/user-0\.slice\//);
    const said = await succeed(
      'journalctl --no-pager -q -t su -t sshd-session -t CRON -g bulkhead || true',
    );
    assert.equal(said, '');
  });

  test('a session gets an oom_score_adj of 0, and cannot lower it', { timeout }, async () => {
    const file = '/proc/$$/oom_score_adj';
    const inside = `cat ${file}; echo -1 2>/dev/null > ${file}; cat ${file}`;
    const scores = await succeed(`echo -700 > ${file}; su -s /bin/sh alice -c '${inside}' 2>&1`);
    assert.match(scores, /^0\n[^]*\n?0\n$/);
  });

  test('a login succeeds whatever part of Bulkhead is broken', { timeout }, async () => {
    const elsewhere = /\/user-3001\.slice\/session-/;
    const broken: readonly (readonly [breakIt: string, repair: string])[] = [
      [`mv ${module} /root/module`, `mv /root/module ${module}`],
      [`mv ${module} /root/module; mkdir ${module}`, `rmdir ${module}; mv /root/module ${module}`],
      [`mv ${module} /root/module; echo broken > ${module}`, `mv -f /root/module ${module}`],
      ['mv /run/bulkhead /run/gone', 'mv /run/gone /run/bulkhead'],
      [
        'mv /run/bulkhead/launch /run/x; mkfifo /run/bulkhead/launch',
        'mv -f /run/x /run/bulkhead/launch',
      ],
      [
        'cp /run/bulkhead/launch /run/x; head -c 20 /run/x > /run/bulkhead/launch',
        'mv -f /run/x /run/bulkhead/launch',
      ],
      [
        'cp /run/bulkhead/launch /run/x; sed -i s,/sys/fs/cgroup,/tmp, /run/bulkhead/launch',
        'mv -f /run/x /run/bulkhead/launch',
      ],
      [`echo 1 > ${sysTree}/u3001/cgroup.freeze`, `echo 0 > ${sysTree}/u3001/cgroup.freeze`],
    ];
    for (const [breakIt, repair] of broken) {
      const script = `${breakIt}\nsu -s /bin/sh alice -c '${where}'\n${repair}`;
      assert.match(await succeed(script), elsewhere, breakIt);
    }
    assert.equal(await su('alice'), placed('alice'));
  });

  test(
    'a tenant at its processes limit cannot log in, and everybody else can',
    { timeout },
    async () => {
      await succeed(`echo 0 > ${sysTree}/u3001/pids.max`);
      for (const command of [`${ssh} alice@127.0.0.1 true`, 'su alice -c true']) {
        const { status } = await run(command);
        assert.notEqual(status, 0, command);
      }
      assert.equal(await su('bob', 'echo in'), 'in');
      assert.equal(await su('root', 'echo in'), 'in');
      await succeed(`echo 60 > ${sysTree}/u3001/pids.max`);
      assert.equal(await su('alice'), placed('alice'));
    },
  );

  test('a tenant can neither misuse PAM nor run anything as root', { timeout }, async () => {
    await write(
      '/tmp/pam.py',
      `import ctypes
pam = ctypes.CDLL("libpam.so.0")
conversation = (ctypes.c_void_p * 2)()
handle = ctypes.c_void_p()
for service in (b"su", b"cron", b"atd"):
    for user in (b"bob", b"alice"):
        pam.pam_start(service, user, ctypes.byref(conversation), ctypes.byref(handle))
        pam.pam_open_session(handle, 0)
print(open("/proc/self/cgroup").read())
`,
    );
    const alice = (command: string) =>
      host.guest.succeed(command, { user: 'alice', timeoutMs: timeout });
    // A program of its own that opens sessions.
    const here = (await alice(where)).trim();
    assert.equal((await alice('python3 /tmp/pam.py')).trim(), here);
    await alice('! echo > /run/bulkhead/launch; ! mv /run/bulkhead/launch /tmp');

    // Variables: none of them reaches a shell or a program of root.
    await write('/tmp/marker', `echo > ${owned}.$(id -u)\n`);
    await write('/tmp/bin/busctl', `#!/bin/sh\necho > ${owned}.$(id -u)\n`);
    await succeed('chmod -R a+rx /tmp/bin /tmp/marker');
    const tricks =
      'IFS=/ ENV=/tmp/marker BASH_ENV=/tmp/marker PATH=/tmp/bin:$PATH LD_PRELOAD=/tmp/none.so PAM_USER=carol PAM_TYPE=x PPID=1';
    await alice(`echo pass-bob | env ${tricks} su -m -s /bin/sh bob -c true 2>/dev/null`);
    await succeed(
      'mkdir -p /run/sshd && /usr/sbin/sshd -p 2222 -o "AcceptEnv *" -o PidFile=/tmp/sshd.pid',
    );
    const setEnv = tricks
      .split(' ')
      .map((each) => `"${each}"`)
      .join(' ');
    const overSsh = await succeed(`${ssh} -p 2222 -o 'SetEnv=${setEnv}' alice@127.0.0.1 ${where}`);
    assert.equal(overSsh.trim(), placed('alice'));
    await succeed('kill $(cat /tmp/sshd.pid)');
    assert.equal(await succeed(`ls ${owned}.0 2>/dev/null || true`), '');
  });

  test('release --kill removes a tenant that is logged in', { timeout }, async () => {
    await succeed(`${ssh} -f -N alice@127.0.0.1 </dev/null >/dev/null 2>&1`);
    // Root's part of an sshd session ends on its own once the tenant's process is killed.
    await succeed('until bulkhead release --kill >/dev/null 2>&1; do sleep 0.2; done');
    assert.equal((await run(`ls ${sysTree}/u3001 /run/bulkhead/launch`)).stdout, '');
    assert.match(await su('alice'), /\/user-3001\.slice\//);
    await succeed('bulkhead apply');
    assert.equal(await su('alice'), placed('alice'));
  });

  test('pam enable does not jump over a module that comes between', { timeout }, async () => {
    await write(
      '/usr/share/pam-configs/zz-between',
      'Name: Another\nDefault: yes\nPriority: 0\nSession-Type: Additional\nSession:\n\toptional pam_echo.so\n',
    );
    await succeed('DEBIAN_FRONTEND=noninteractive pam-auth-update --package');
    assert.match((await services()).notes, /do not get pam_echo\.so/);
    assert.match(await succeed('bulkhead pam enable'), /pam_echo\.so comes between/);
    const { of, notes } = await services();
    assert.equal(of.get('sshd')?.outcome, 'taken back');
    assert.equal(of.get('cron')?.outcome, 'placed');
    assert.match(notes, /takes the process back/);
    assert.match(await su('alice'), /\/user-3001\.slice\//);
    await succeed(
      'DEBIAN_FRONTEND=noninteractive pam-auth-update --package --remove zz-between; rm /usr/share/pam-configs/zz-between',
    );
  });

  test('pam disable restores everything, byte for byte', { timeout }, async () => {
    await succeed('bulkhead pam disable');
    assert.equal(await bytes(), pristine);
    assert.match(await succeed('bulkhead pam disable'), /already/);
    assert.match(await su('alice'), /\/user-3001\.slice\//);
  });
});

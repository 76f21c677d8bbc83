/**
 * Logins of tenants that are systemd slices. pam_systemd places ssh sessions. The login step places what pam_systemd
 * leaves where it is: su within another session, cron and at. No agent runs, so that nothing else moves anybody.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { eventually, longPatienceMilliseconds } from '../../../testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);

const timeout = longPatienceMilliseconds;
const accounts = { alice: 3001, bob: 3002, dave: 3003, rob: 3004, carol: 2001 } as const;
type Account = keyof typeof accounts;
const policy = `<bulkhead version="1"><host driver="systemd"/><tenant user="alice"/><tenant user="bob"/>
<reseller user="rob"><tenant user="dave"/></reseller><defaults><processes limit="60"/></defaults></bulkhead>
`;
const where = 'cat /proc/self/cgroup';
const slice = (user: Account) => `0::/user.slice/user-${accounts[user]}.slice`;
const scope = (user: Account) => `${slice(user)}/bulkhead-${accounts[user]}.scope`;
const inTree = `0::/bulkhead-tenants.service/r${accounts.rob}/u${accounts.dave}`;
const ssh =
  'ssh -F none -i /root/keys/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes';

suite('logins with the systemd driver', { skip: guests.skip, timeout }, () => {
  const sh = async (command: string) => (await succeed(command)).trim();
  const session = (user: 'root' | 'alice', command: string) =>
    sh(`${ssh} ${user}@127.0.0.1 '${command}'`);
  const suFromSession = (user: Account) => session('root', `su ${user} -c "${where}"`);
  const hold = (user: Account) =>
    sh(`setsid bulkhead exec ${user} -- sleep 3600 >/dev/null 2>&1 </dev/null &
      until pgrep -u ${user} -fx 'sleep 3600' >/dev/null; do sleep 0.1; done`);
  const outcomes = async () => {
    const { services } = JSON.parse(await sh('bulkhead pam status --json')) as {
      services: { service: string; outcome: string; inSlice: string }[];
    };
    return new Map(services.map((each) => [each.service, [each.inSlice, each.outcome]]));
  };

  const { succeed, write } = guestOfSuite(guests, async () => {
    await write('/etc/bulkhead/policy.xml', policy);
    const make = Object.entries(accounts).map(
      ([name, uid]) =>
        `useradd -m -u ${uid} -s /bin/sh ${name} && echo '${name}:pass-${name}' | chpasswd`,
    );
    await sh(
      [
        'set -e',
        ...make,
        'mkdir /root/keys && ssh-keygen -q -t ed25519 -N "" -f /root/keys/id',
        'for home in /home/alice /root; do mkdir -p -m 700 $home/.ssh; cp /root/keys/id.pub $home/.ssh/authorized_keys; done',
        'chown -R alice: /home/alice/.ssh',
        'bulkhead apply',
        // The manager of each user that pam_systemd starts takes seconds here, and is not what is tested.
        'systemctl mask user@.service',
        'systemctl start ssh cron atd',
      ].join('\n'),
    );
  });

  test(
    "su stays in root's session without the step, and pam status says so",
    { timeout },
    async () => {
      assert.match(await suFromSession('alice'), /^0::\/user\.slice\/user-0\.slice\/session-/);
      const is = await outcomes();
      assert.deepEqual(is.get('sshd'), ['by pam_systemd', 'not run']);
      assert.deepEqual(is.get('su'), ['by pam_systemd, if alone', 'not run']);
      assert.deepEqual(is.get('cron'), ['not run', 'not run']);
    },
  );

  test('pam enable changes what pam status reports', { timeout }, async () => {
    await sh('bulkhead pam enable');
    const is = await outcomes();
    assert.deepEqual(is.get('sshd'), ['by pam_systemd', 'placed']);
    for (const each of ['su', 'su-l', 'cron', 'atd'])
      assert.deepEqual(is.get(each), ['placed', 'placed'], each);
    const job = (user: string) => `* * * * * ${user} ${where} > /tmp/cron.${user}\n`;
    await hold('alice');
    await write('/etc/cron.d/where', [job('alice'), job('carol'), job('root')].join(''));
  });

  test('ssh keeps its logind session', { timeout }, async () => {
    assert.match(await session('alice', where), new RegExp(`^${slice('alice')}/session-`));
    assert.match(await session('root', where), /user-0\.slice/);
  });

  test('su from root and another tenant is placed in the scope', { timeout }, async () => {
    assert.equal(await suFromSession('alice'), scope('alice'));
    assert.equal(await suFromSession('dave'), inTree);
    assert.match(await suFromSession('carol'), /user-0\.slice/);
    await hold('bob');
    assert.equal(
      await session('alice', `echo pass-bob | su bob -c "${where}" 2>/dev/null`),
      scope('bob'),
    );
  });

  test('systemd makes the scope for the first process of a slice', { timeout }, async () => {
    await sh('pkill -u bob sleep');
    // Within a second, or else the agent would have to; here there is none.
    await eventually('su is placed', async () => (await suFromSession('bob')) === scope('bob'));
  });

  test("cron and at jobs of tenants are placed in the tenant's scope", { timeout }, async () => {
    for (const user of ['alice', 'carol', 'dave'])
      await sh(`echo '${where} > /tmp/at.${user}' | su ${user} -c 'at now' 2>/dev/null`);
    const files = 'cron.alice cron.carol cron.root at.alice at.dave at.carol';
    await sh(`for file in ${files}; do until [ -s /tmp/$file ]; do sleep 0.2; done; done`);
    assert.deepEqual((await sh(`cd /tmp && tail -qn 1 ${files}`)).split('\n'), [
      scope('alice'),
      '0::/system.slice/cron.service',
      '0::/system.slice/cron.service',
      scope('alice'),
      inTree,
      '0::/system.slice/atd.service',
    ]);
  });

  test('su does not wait for a frozen slice', { timeout }, async () => {
    const freeze = `/sys/fs/cgroup/user.slice/user-${accounts.alice}.slice/cgroup.freeze`;
    await sh(`echo 1 > ${freeze}`);
    assert.match(await suFromSession('alice'), /user-0\.slice/);
    await sh(`echo 0 > ${freeze}`);
  });

  test(
    'a tenant that kills its su gets no process moved but the one it started',
    { timeout },
    async () => {
      await hold('bob');
      await write(
        '/home/alice/race',
        `for pause in 0.01 0.03 0.05 0.1 0.15 0.2 0.25 0.3 0.4 0.5; do
  echo pass-bob | su bob -c true & pid=$!
  sleep $pause; pkill -9 -P $$ su; wait $pid
done 2>/dev/null >/dev/null
exit 0
`,
      );
      await session('alice', 'sh /home/alice/race');
      const inside = await sh(
        `for pid in $(cat /sys/fs/cgroup${scope('bob').slice(3)}/cgroup.procs); do ps -o user=,comm= -p $pid; done`,
      );
      assert.deepEqual([...new Set(inside.split('\n'))], ['bob      sleep']);
      assert.equal(await sh('cat /proc/1/cgroup'), '0::/init.scope');
    },
  );

  test('verify finds no drift after all these logins', { timeout }, async () => {
    await sh('bulkhead verify');
  });

  test('pam disable and release leave nothing', { timeout }, async () => {
    await sh('bulkhead pam disable && pkill -u alice,bob sleep; bulkhead release');
    assert.equal(await sh('grep -l bulkhead /etc/pam.d/* || true'), '');
    assert.equal(await sh('ls -d /run/bulkhead 2>/dev/null || true'), '');
  });
});

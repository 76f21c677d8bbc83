/**
 * Tenants as systemd slices, the default on an unmodified Debian: limits before, while and after something runs in a
 * slice; accounts that must not be limited; changes by others; resellers, the agent, a reboot, and the end.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { logToStderr } from '../../../testing/progress.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { startGuest, type Guest } from '../../../testing/vm/guest.ts';
import { prepareImage, type Image } from '../../../testing/vm/image.ts';
import { installBuilt } from '../../../testing/vm/installed.ts';

const prepared = await prepareImage(logToStderr);
if (!prepared.ok)
  logToStderr(`Skipping test/vm/long/systemd-driver.test.ts: ${prepared.error.reason}`);
const skip = prepared.ok ? false : prepared.error.reason;

/** ann, ben and cat are tenants, with limits of their own or not; eve is not one, and acme may be a reseller. */
const accounts = { ann: 3001, ben: 3002, cat: 3003, eve: 4001, acme: 4002 } as const;
type Account = keyof typeof accounts;
const tenants = ['ann', 'ben', 'cat'] as const satisfies readonly Account[];
const found = 3;
const sliceOf = (account: Account) => `user-${accounts[account]}.slice`;
const slice = (account: Account) => `/sys/fs/cgroup/user.slice/${sliceOf(account)}`;
const scope = (account: Account) => `${slice(account)}/bulkhead-${accounts[account]}.scope`;
const file = (account: Account) => `/etc/systemd/system/${sliceOf(account)}.d/90-bulkhead.conf`;

suite('tenants as systemd slices', { skip }, () => {
  const image = (prepared as { value: Image }).value;
  const long = { timeoutMs: longPatienceMilliseconds };
  let guest: Guest;
  const sh = async (command: string) => (await guest.succeed(command, long)).trim();
  const bulkhead = (words: string) => guest.run(`bulkhead ${words}`, long);
  const policy = (body: string) =>
    guest.succeed('mkdir -p /etc/bulkhead && cat > /etc/bulkhead/policy.xml', {
      input: `<bulkhead version="1">${body}</bulkhead>\n`,
    });
  const limits = (benLimits: string, more = '', driver?: string) =>
    policy(`${driver === undefined ? '' : `<host driver="${driver}"/>`}<agent interval="2s"/><tenants uids="3000-3999"/>
      <defaults><cpu limit="50%"/><memory limit="200MiB"/><io read="5MiB/s"/><processes limit="60"/></defaults>
      <tenant user="ben">${benLimits}</tenant>${more}`);
  const benLimits =
    '<cpu limit="33.333%" weight="30"/><memory limit="96MiB" soft="80MiB" swap="16MiB"/><processes limit="41"/>';
  const shop = '<site name="my-shop.example"><processes limit="9"/></site>';
  const siteSlice = String.raw`${slice('ben')}/user-3002-my\x2dshop.example.slice`;
  const apply = async () => {
    const { status, stdout, stderr } = await bulkhead('apply -v');
    assert.equal(status, 0, stdout + stderr);
    return stdout;
  };
  const verified = async () => {
    const { status, stdout, stderr } = await bulkhead('verify');
    assert.equal(status, 0, stdout + stderr);
  };
  const drift = async () => {
    const { status, stdout } = await bulkhead('verify');
    assert.equal(status, found, stdout);
    return stdout;
  };
  const value = (path: string) => sh(`cat ${path}`);
  const values = (account: Account, names: string) =>
    sh(`cd ${slice(account)} && cat ${names}`).then((text) => text.split('\n'));
  /** Starts a login that stays, and runs a command that can be found by its args. */
  const login = async (account: Account, command: string) => {
    await sh(`setsid su ${account} -c 'exec ${command}' >/dev/null 2>&1 </dev/null & sleep 0.1`);
    await until(`pgrep -u ${account} -fx '${command}'`);
  };
  const cgroupOf = (command: string) => sh(`cat /proc/$(pgrep -fx '${command}')/cgroup`);
  const until = (what: string) => guest.until(`{ ${what}; } >/dev/null 2>&1`);
  const unlimited = ['max 100000', 'max', 'max'];
  const others = async () => {
    assert.deepEqual(await values('eve', 'cpu.max memory.max memory.high'), unlimited);
    assert.deepEqual(
      await sh('cd /sys/fs/cgroup/user.slice && cat cpu.max memory.max memory.high').then((text) =>
        text.split('\n'),
      ),
      unlimited,
    );
  };

  before(
    async () => {
      guest = await startGuest(image);
      await guest.copyProject();
      for (const [name, uid] of Object.entries(accounts)) {
        await guest.succeed(`useradd -m -u ${uid} -s /bin/sh ${name}`);
      }
    },
    { timeout: longPatienceMilliseconds },
  );
  after(() => guest[Symbol.asyncDispose]());

  test(
    'the conformance suites of slices and of their sites pass',
    { timeout: longPatienceMilliseconds },
    async () => {
      const { status, stdout, stderr } = await guest.run(
        'cd /opt/bulkhead && node --test --test-concurrency=1 test/conformance/systemd.test.ts test/conformance/systemd-sites.test.ts',
        long,
      );
      assert.equal(status, 0, stdout + stderr);
      assert.match(stdout, /pass 17/, stdout);
    },
  );

  test(
    'apply limits active slices at once, and others when they start',
    { timeout: longPatienceMilliseconds },
    async () => {
      // The sources are needed until here.
      await installBuilt(guest);
      await login('ben', 'sleep 3601');
      await login('eve', 'sleep 3602');
      const before = await values('eve', 'pids.max');
      await limits(benLimits);
      const { stdout: plan } = await bulkhead('plan');
      assert.match(
        plan,
        /^\+ tenant ann: .*user-3001\.slice\.d\/90-bulkhead\.conf: CPUQuota 50%,/m,
      );
      assert.match(plan, /^~ systemd reads its files again$/m);
      assert.match(
        plan,
        /^~ tenant ben: systemd sets the cgroup of user-3002\.slice: .*pids\.max \d+ → 41/m,
      );
      assert.doesNotMatch(plan, /systemd sets the cgroup of user-300[13]/);
      await apply();
      await verified();
      assert.deepEqual(
        await values(
          'ben',
          'cpu.max cpu.weight memory.max memory.high memory.swap.max pids.max io.max',
        ),
        [
          '33330 100000',
          '30',
          String(96 * 2 ** 20),
          String(80 * 2 ** 20),
          String(16 * 2 ** 20),
          '41',
          `254:0 rbps=${5 * 2 ** 20} wbps=max riops=max wiops=max`,
        ],
      );
      // The limits apply from the first instruction.
      const seen = await sh(`su ann -c 'cat ${slice('ann')}/pids.max /proc/self/cgroup'`);
      assert.match(seen, /^60\n0::\/user\.slice\/user-3001\.slice\/session-/);
      await others();
      assert.deepEqual(await values('eve', 'pids.max'), before);
      // Our changes leave systemd no reason for a warning.
      assert.equal(await sh('systemctl show -P NeedDaemonReload user-3002.slice'), 'no');
      assert.match(await apply(), /^Nothing to change/m);
    },
  );

  test(
    'verify finds changes by others in the kernel and in files, and apply corrects them',
    { timeout: longPatienceMilliseconds },
    async () => {
      await sh(`echo 77 > ${slice('ben')}/pids.max`);
      assert.match(await drift(), /tenant ben: pids\.max is 77, the policy requires 41/);
      await apply();
      assert.equal(await value(`${slice('ben')}/pids.max`), '41');

      await sh('systemctl set-property --runtime user-3002.slice MemoryMax=50M');
      assert.match(await drift(), /tenant ben: memory\.max is 50MiB, the policy requires 96MiB/);
      await apply();
      assert.equal(await value(`${slice('ben')}/memory.max`), String(96 * 2 ** 20));

      // It removes our file, though it is in /etc and not of its own making.
      await sh('systemctl revert user-3001.slice user-3002.slice');
      const reverted = await drift();
      assert.match(reverted, /tenant ann: .*90-bulkhead\.conf is missing/);
      assert.match(reverted, /tenant ben: .*90-bulkhead\.conf is missing/);
      await sh(`sed -i s/TasksMax=60/TasksMax=61/ ${file('cat')}`);
      assert.match(await drift(), /tenant cat: the policy requires .*TasksMax 61 → 60/);
      await apply();
      await verified();
    },
  );

  test(
    'apply refuses a memory limit below what is in use, and then changes nothing',
    { timeout: longPatienceMilliseconds },
    async () => {
      const before = await value(file('ben'));
      await sh(
        `bulkhead exec ben -- sh -c 'x=$(head -c 40000000 /dev/zero | tr "\\0" x); exec 3<&-; sleep 3603' >/dev/null 2>&1 & sleep 0.1`,
      );
      await until(`[ $(cat ${slice('ben')}/memory.current) -gt 40000000 ]`);
      const runs = "pgrep -fx 'sleep 3603'";
      await until(runs);
      await limits(
        benLimits.replace('96MiB', '24MiB').replace('80MiB', '20MiB').replace('16MiB', '0B'),
      );
      const refused = await bulkhead('apply');
      assert.equal(refused.status, 1);
      assert.match(
        refused.stderr,
        /are in use and cannot be reclaimed; raise the limit, or pass --force/,
      );
      assert.equal(await value(file('ben')), before);
      assert.equal(await value(`${slice('ben')}/memory.max`), String(96 * 2 ** 20));
      await limits(benLimits);
      await verified();
      const why = `cat ${slice('ben')}/memory.events; journalctl -q --no-pager -n 40`;
      await sh(`${runs} || { (${why}) >&2; false; }`);
      await sh("pkill -fx 'sleep 3603'");
    },
  );

  test(
    "exec joins the tenant's scope, however many start at once",
    { timeout: longPatienceMilliseconds },
    async () => {
      const cgroups = await sh(
        'for i in 1 2 3 4 5 6 7 8; do bulkhead exec cat -- cat /proc/self/cgroup & done; wait',
      );
      assert.deepEqual(
        cgroups.split('\n'),
        Array.from({ length: 8 }, () => '0::/user.slice/user-3003.slice/bulkhead-3003.scope'),
      );
      for (const who of ['eve', 'root']) {
        const { status, stderr } = await bulkhead(`exec ${who} -- id`);
        assert.equal(status, 1);
        assert.match(stderr, /is not a tenant/);
      }
    },
  );

  test(
    'a tenant can neither change nor leave its limits',
    { timeout: longPatienceMilliseconds },
    async () => {
      const attempts = [
        `echo max > ${slice('ben')}/pids.max`,
        `echo $$ > /sys/fs/cgroup/cgroup.procs`,
        `echo $$ > ${slice('cat')}/cgroup.procs`,
        'systemctl --no-ask-password set-property user-3002.slice MemoryMax=infinity',
        'systemctl --no-ask-password revert user-3002.slice',
        'systemd-run --no-ask-password --slice=system.slice true',
        'busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager Reload',
      ];
      for (const each of attempts) {
        const { status } = await guest.run(`su ben -c '${each}'`, long);
        assert.notEqual(status, 0, each);
      }
      await verified();
    },
  );

  test(
    "apply moves a tenant's processes to a reseller and back",
    { timeout: longPatienceMilliseconds },
    async () => {
      await login('cat', 'sleep 3604');
      await limits(
        benLimits,
        '<reseller user="acme"><processes limit="90"/><tenant user="cat"/></reseller>',
      );
      await apply();
      await verified();
      assert.equal(await cgroupOf('sleep 3604'), '0::/bulkhead-tenants.service/r4002/u3003');
      assert.equal((await guest.run(`test -e ${file('cat')}`)).status, 1);
      // Processes that systemd starts in her slice have limits there, but do not count towards the reseller's sum.
      await sh(
        `systemd-run -q --unit panel-cat -p User=cat -p Slice=${sliceOf('cat')} sh -c 'cat ${slice('cat')}/pids.max ${slice('cat')}/memory.max >/tmp/panel-cat; exec sleep 3612'`,
      );
      await until("pgrep -fx 'sleep 3612'");
      assert.match(await cgroupOf('sleep 3612'), /user-3003\.slice\/panel-cat\.service$/);
      assert.equal(await value('/tmp/panel-cat'), `60\n${200 * 2 ** 20}`);
      assert.match(
        await sh('bulkhead explain cat'),
        /user-3003\.slice.* do not count towards the reseller's sum/,
      );
      assert.match(await sh('bulkhead doctor --json'), /do not count towards their reseller's sum/);
      await limits(
        benLimits,
        '<reseller user="acme"><processes limit="50"/><tenant user="cat"/></reseller>',
      );
      await apply();
      await verified();
      assert.equal(await value(`${slice('cat')}/pids.max`), '50');
      await sh(`echo 77 > ${slice('cat')}/pids.max`);
      assert.match(
        await drift(),
        /tenant cat, outside its reseller: pids\.max is 77, the policy requires 50/,
      );
      await apply();
      await sh('systemctl revert user-3003.slice');
      assert.match(await drift(), /91-bulkhead\.conf is missing/);
      await apply();
      await verified();
      assert.match(
        await sh('bulkhead exec cat -- cat /proc/self/cgroup'),
        /bulkhead-tenants\.service\/r4002\/u3003/,
      );
      await limits(benLimits);
      await apply();
      await verified();
      assert.equal(
        await cgroupOf('sleep 3604'),
        `0::/user.slice/user-3003.slice/bulkhead-3003.scope`,
      );
      assert.equal(await value(`${slice('cat')}/pids.max`), '60');
      assert.match(await cgroupOf('sleep 3612'), /user-3003\.slice\/panel-cat\.service$/);
      await sh('systemctl stop panel-cat');
      assert.equal(await sh(`ls ${file('cat').replace(/\/[^/]*$/, '')}`), '90-bulkhead.conf');
    },
  );

  test(
    'apply changes to the driver cgroup2 and back, only when the policy names one',
    { timeout: longPatienceMilliseconds },
    async () => {
      await limits(benLimits, '', 'cgroup2');
      const { stdout: plan } = await bulkhead('plan');
      assert.match(plan, /systemd limits 3 slices no longer/);
      await apply();
      assert.equal(await value('/sys/fs/cgroup/bulkhead-tenants.service/u3002/pids.max'), '41');
      assert.deepEqual(await values('ben', 'cpu.max memory.max memory.high'), unlimited);
      assert.equal(
        await sh(
          'find /etc/systemd/system /run/systemd/system.control -name "*bulkhead.conf" -o -name 50-TasksMax.conf',
        ),
        '',
      );
      await sh('setsid bulkhead exec ann -- sleep 3605 >/dev/null 2>&1 </dev/null & sleep 0.1');
      await until("pgrep -fx 'sleep 3605'");
      assert.equal(await cgroupOf('sleep 3605'), '0::/bulkhead-tenants.service/u3001');
      // This is like a host where it was in force before slices became the default.
      await limits(benLimits);
      assert.match((await bulkhead('plan')).stdout, /nothing to change[^]*the one in force stays/i);
      assert.match(
        await sh('bulkhead doctor'),
        /Driver +cgroup2: [^]*Note: [^]*the\s+one\s+in\s+force\s+stays/,
      );
      assert.match(await apply(), /^Nothing to change/m);
      assert.equal(await cgroupOf('sleep 3605'), '0::/bulkhead-tenants.service/u3001');
      await limits(benLimits, '', 'systemd');
      assert.match(
        (await bulkhead('plan')).stdout,
        /tenant ann: processes from \.\/u3001 to u3001/,
      );
      await apply();
      await verified();
      assert.equal(
        await cgroupOf('sleep 3605'),
        '0::/user.slice/user-3001.slice/bulkhead-3001.scope',
      );
      assert.equal(await sh('ls -d /sys/fs/cgroup/bulkhead-tenants.service/u* || true'), '');
      await limits(benLimits);
      assert.match(await apply(), /^Nothing to change/m);
      assert.match(await sh('bulkhead doctor'), /Driver +systemd: /);
      await sh("pkill -fx 'sleep 3605'");
    },
  );

  test(
    'the agent moves processes from elsewhere to the scope, also a storm of them',
    { timeout: longPatienceMilliseconds },
    async () => {
      await sh(
        'cp /opt/bulkhead/packaging/bulkhead.service /etc/systemd/system/ && systemctl daemon-reload && systemctl start bulkhead',
      );
      const elsewhere = (account: Account, command: string) =>
        sh(
          `setpriv --reuid ${accounts[account]} --regid ${accounts[account]} --clear-groups ${command} >/dev/null 2>&1 </dev/null &`,
        );
      await elsewhere('ann', 'sleep 3606');
      await elsewhere('eve', 'sleep 3607');
      const isIn = (command: string, path: string) =>
        until(`grep -qx $(pgrep -fx '${command}') ${path}/cgroup.procs`);
      await isIn('sleep 3606', scope('ann'));
      await elsewhere('ann', 'sleep 3608');
      await isIn('sleep 3608', scope('ann'));
      // The scope ended with its last process, and is made again.
      await sh('pkill -u ann');
      await until(`! [ -e ${scope('ann')} ]`);
      await elsewhere('ann', 'sleep 3609');
      await isIn('sleep 3609', scope('ann'));
      await elsewhere(
        'cat',
        "sh -c 'i=0; while [ $i -lt 300 ]; do sleep 3700 & i=$((i+1)); done; wait'",
      );
      await until("[ $(pgrep -u cat -fx 'sleep 3700' | wc -l) -ge 40 ]");
      await until(
        '(for pid in $(pgrep -u cat); do grep -q user-3003.slice /proc/$pid/cgroup || exit 1; done)',
      );
      await sh('pkill -KILL -u cat');
    },
  );

  test(
    'the agent measures everything that runs in a slice',
    { timeout: longPatienceMilliseconds },
    async () => {
      const { stdout } = await bulkhead('ps ann');
      assert.match(stdout, /sleep 3609/);
      await until("bulkhead top --once --all | grep -Eq '^ ?ann .* 1/[0-9]+/60'");
      await sh("setsid su ben -c 'while :; do :; done' >/dev/null 2>&1 </dev/null & sleep 0.1");
      await until('bulkhead faults ben | grep -q cpu');
      const { stdout: status } = await bulkhead('status --json');
      const { outside } = JSON.parse(status) as { outside: readonly { uid: number }[] };
      assert.deepEqual(outside, []);
      assert.equal(await cgroupOf('sleep 3607'), '0::/system.slice/guest-control.service');
      await others();
    },
  );

  test(
    'a site has its own limits and figures, and its processes cannot leave it',
    { timeout: longPatienceMilliseconds },
    async () => {
      await limits(`${benLimits}${shop}`);
      await apply();
      await verified();
      assert.match(
        (await bulkhead('explain ben/my-shop.example')).stdout,
        /processes limit .*\b9\b/,
      );
      await sh(
        'setsid bulkhead exec --site my-shop.example ben -- sleep 3620 >/dev/null 2>&1 </dev/null & sleep 0.1',
      );
      await until("pgrep -fx 'sleep 3620'");
      assert.equal(
        await cgroupOf('sleep 3620'),
        String.raw`0::/user.slice/user-3002.slice/user-3002-my\x2dshop.example.slice/bulkhead-3002-my\x2dshop.example.scope`,
      );
      assert.equal(await value(`'${siteSlice}/pids.max'`), '9');
      await until("bulkhead ps ben/my-shop.example | grep -q 'sleep 3620'");
      assert.match((await bulkhead('ps ben')).stdout, /sleep 3620/);
      for (const attempt of [
        `echo $$ > ${slice('ben')}/cgroup.procs`,
        `echo max > '${siteSlice}/pids.max'`,
        `mkdir '${siteSlice}/own'`,
        String.raw`systemctl --no-ask-password set-property 'user-3002-my\x2dshop.example.slice' TasksMax=infinity`,
        'systemd-run --no-ask-password --slice=user-3002.slice true',
        'i=0; while [ $i -lt 20 ]; do sleep 1 & i=$((i+1)); done',
      ]) {
        const words = ['exec', '--site', 'my-shop.example', 'ben', '--', 'sh', '-c'];
        const { status } = await guest.run(`bulkhead ${words.join(' ')} "$(cat)"`, {
          ...long,
          input: attempt,
        });
        assert.notEqual(status, 0, attempt);
      }
      await verified();
      await until('bulkhead faults ben/my-shop.example | grep -q processes');
      const { stdout: faults } = await bulkhead('faults ben --limit processes --json');
      const { incidents } = JSON.parse(faults) as {
        incidents: readonly { who: { kind: string } }[];
      };
      assert.deepEqual(
        incidents.filter(({ who }) => who.kind === 'tenant'),
        [],
      );
    },
  );

  /** Returns a service that first records its limits, and then has the tenant start processes without end. */
  const loadUnit = (account: Account) => `[Service]
User=${account}
Slice=${sliceOf(account)}
ExecStart=/bin/sh -c 'cd ${slice(account)} && cat pids.max memory.max cpu.max /proc/self/cgroup >/srv/first/${account}; while :; do sleep 1 & sleep 1 & wait; done'
[Install]
WantedBy=multi-user.target
`;
  const underLoad = ['ann', 'ben'] as const;
  const first = async (account: Account) => {
    await until(`grep -q load-${account} /srv/first/${account}`);
    return (await sh(`cat /srv/first/${account}`)).split('\n');
  };
  const firstOf = (account: Account, ...files: readonly string[]) => [
    ...files,
    `0::/user.slice/${sliceOf(account)}/load-${account}.service`,
  ];
  /** Waits until no process of a tenant is outside, however it was started. */
  const nobodyOutside = () =>
    until(
      `(for pid in $(pgrep -u ${tenants.join(',')}); do ! [ -e /proc/$pid ] || grep -Eq '/user-300[123].slice/' /proc/$pid/cgroup || exit 1; done)`,
    );

  test(
    "limits are set before a tenant's first process, after a reset right after an apply",
    { timeout: longPatienceMilliseconds },
    async () => {
      await sh('install -d -m 1777 /srv/first');
      for (const account of underLoad) {
        await guest.succeed(`cat > /etc/systemd/system/load-${account}.service`, {
          input: loadUnit(account),
        });
      }
      // Processors are emulated, and the machine may be busy.
      await sh(
        'mkdir /etc/systemd/system/bulkhead.service.d; printf "[Service]\\nTimeoutStartSec=infinity\\n" > /etc/systemd/system/bulkhead.service.d/patient.conf',
      );
      await sh('systemctl daemon-reload && systemctl enable -q bulkhead load-ann load-ben');
      await sh('systemctl start load-ann load-ben');
      for (const account of underLoad) await first(account);
      await sh('rm /srv/first/*; sync');
      const raised = benLimits.replace('"41"', '"43"');
      await limits(`${raised}${shop}`);
      await apply();
      await guest.reboot('at once');
      const cpuOfAnn = '50000 100000';
      assert.deepEqual(await first('ann'), firstOf('ann', '60', String(200 * 2 ** 20), cpuOfAnn));
      assert.deepEqual(
        await first('ben'),
        firstOf('ben', '43', String(96 * 2 ** 20), '33330 100000'),
      );
      await sh(
        `setpriv --reuid ${accounts.cat} --regid ${accounts.cat} --clear-groups sleep 3630 >/dev/null 2>&1 </dev/null &`,
      );
      await until(`bulkhead status --json | grep -q '"state": *"in force"'`);
      await until("pgrep -fx 'sleep 3630'");
      await nobodyOutside();
      await verified();
      const { outside } = JSON.parse((await bulkhead('status --json')).stdout) as {
        outside: readonly unknown[];
      };
      assert.deepEqual(outside, []);
      await sh("pkill -fx 'sleep 3630'");
      await limits(`${benLimits}${shop}`);
      await apply();
    },
  );

  test(
    'limits are in force after a reboot under load, with the agent disabled',
    { timeout: longPatienceMilliseconds },
    async () => {
      await sh('systemctl disable --now bulkhead; rm /srv/first/*');
      await guest.reboot();
      assert.equal((await first('ann'))[0], '60');
      assert.equal((await first('ben'))[0], '41');
      await nobodyOutside();
      await sh(
        'systemctl disable -q --now load-ann load-ben; rm -r /srv/first /etc/systemd/system/load-*',
      );
      await login('ben', 'sleep 3610');
      await login('eve', 'sleep 3611');
      assert.deepEqual(await values('ben', 'cpu.max memory.max pids.max'), [
        '33330 100000',
        String(96 * 2 ** 20),
        '41',
      ]);
      // The launcher's files are in memory: for a tenant with a jail, that it has one.
      const early = await bulkhead('exec ben -- true');
      assert.match(early.stderr, /No policy is in force/);
      assert.match(await apply(), /^Nothing to change/m);
      const inSite = await sh(
        `bulkhead exec --site my-shop.example ben -- cat '${siteSlice}/pids.max' /proc/self/cgroup`,
      );
      assert.match(inSite, /^9\n.*-3002-my\\x2dshop\.example\.scope$/);
      await others();
      await verified();
    },
  );

  test(
    'apply lifts the limits of a tenant that left the policy, and keeps its processes',
    { timeout: longPatienceMilliseconds },
    async () => {
      await policy(
        '<tenants uids="3000-3999" except="ben"/><defaults><processes limit="60"/></defaults>',
      );
      await apply();
      await verified();
      assert.deepEqual(await values('ben', 'cpu.max memory.max memory.high'), unlimited);
      // Nobody needs the controller any more, or there is no line.
      assert.equal(await sh(`cat ${slice('ben')}/io.max 2>/dev/null || true`), '');
      assert.match(await cgroupOf('sleep 3610'), /user-3002\.slice\/session-/);
      assert.equal(await sh('ls /etc/systemd/system | grep user-3002 || true'), '');
    },
  );

  test(
    'release leaves no file, no limit and no scope unit',
    { timeout: longPatienceMilliseconds },
    async () => {
      await limits(`${benLimits}${shop}`);
      await apply();
      await sh('bulkhead release');
      assert.equal(await sh('ls /etc/systemd/system | grep user- || true'), '');
      assert.deepEqual(await values('ben', 'cpu.max memory.max memory.high'), unlimited);
      const left =
        'find /etc/systemd /run/systemd /run/bulkhead -iname "*bulkhead*" -o -name 50-TasksMax.conf';
      assert.equal(await sh(`${left} | grep -v 'system/bulkhead.service' || true`), '');
      for (const name of tenants) {
        assert.equal((await guest.run(`test -e ${file(name).replace(/\/[^/]*$/, '')}`)).status, 1);
      }
      assert.match(await cgroupOf('sleep 3610'), /user-3002\.slice\/session-/);
    },
  );
});

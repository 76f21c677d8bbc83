/**
 * The life of the .deb on a real systemd, with sites that are served meanwhile: installed, upgraded, downgraded, upgraded by
 * halves and on a full disk, booted, removed, installed again and purged.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { SetupJson } from '../../../src/setup/commands/json.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';
import { startGuest, type Guest } from '../../../testing/vm/guest.ts';
import { withPatientFpm } from '../../../testing/vm/installed.ts';
import { prepareGuests } from '../../../testing/vm/suite.ts';
import { build } from '../../package/packages.ts';
import { setUp, tenants, treeOf } from './package/host.ts';
import { load, type LoadReport } from './package/load.ts';

const guests = await prepareGuests(import.meta.filename, 'package');
const timeout = longPatienceMilliseconds;
const home = '/usr/libexec/bulkhead';
const versions = { older: '0.1.0', newer: '0.2.0' } as const;
type Version = (typeof versions)[keyof typeof versions];

const fileOf = (version: Version) => `/root/bulkhead_${version}-1_amd64.deb`;
const dpkg = 'DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io';
const apt =
  'DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends -o DPkg::Options::=--force-unsafe-io';

suite('the Debian package', { skip: guests.skip }, () => {
  const scratch = temporaryDirectory('package-vm');
  let guest: Guest;
  let treeBefore: readonly string[] = [];
  let limits = '';
  let current: Version = versions.older;

  before(
    async () => {
      for (const version of Object.values(versions))
        await build(scratch.path, '--arch', 'x64', '--format', 'deb', '--version', version);
      guest = await startGuest(guests.image);
      await guest.copyIn(scratch.path, '/root');
      await succeed(setUp);
      await guest.succeed('cat > /usr/local/bin/load && chmod 755 /usr/local/bin/load', {
        input: load,
      });
      treeBefore = await tree();
    },
    { timeout },
  );
  after(async () => {
    await guest?.[Symbol.asyncDispose]();
    scratch[Symbol.dispose]();
  });

  const run = (command: string) => guest.run(command, { timeoutMs: timeout });
  const succeed = (command: string) => guest.succeed(command, { timeoutMs: timeout });
  const said = async (command: string) => (await succeed(command)).trim();
  const tree = async () => (await succeed(treeOf)).trim().split('\n');
  const limitsNow = () =>
    succeed(
      `cd /sys/fs/cgroup/user.slice && grep . ${tenants.map(({ uid }) => `user-${uid}.slice/{pids.max,memory.max,cpu.max}`).join(' ')}`.replaceAll(
        /(\S+)\{pids.max,memory.max,cpu.max\}/g,
        '$1pids.max $1memory.max $1cpu.max',
      ),
    );
  const limitsStand = async () => assert.equal(await limitsNow(), limits);
  /** Both sites answer, and PHP runs in the tenants' slices. */
  const sitesAreServed = async () => {
    for (const { name, uid } of tenants)
      assert.match(
        await succeed(`load ${name}`),
        new RegExp(`^HTTP/1\\.1 200[^]*\\r\\n${uid} 0::/\\S*user-${uid}\\.slice`),
      );
  };
  /** The agent runs this version, with all its processes, and follows the policy. */
  const agentIs = async (version: Version) => {
    await guest.until(
      `systemctl is-active --quiet bulkhead && bulkhead status --json > /tmp/status 2>/dev/null && grep -q '"version": *"${version}"' /tmp/status && grep -q '"state": *"in force"' /tmp/status`,
      'cat /tmp/status | head -c 2000; systemctl status bulkhead; journalctl -n 40 --no-pager -u bulkhead',
    );
    assert.equal(await said('bulkhead --version'), version);
    // A process of the package before runs a file that is no longer there.
    const running = await succeed(
      `for pid in $(cat /sys/fs/cgroup/system.slice/bulkhead.service/cgroup.procs); do readlink /proc/$pid/exe; done`,
    );
    current = version;
    assert.match(running, new RegExp(`^(?:${home}/\\S+/node\\n|\\S+/perl\\n)+$`));
  };
  /** Both sites answer, wherever PHP runs. */
  const sitesAnswer = async () => {
    for (const { name, uid } of tenants)
      assert.match(
        await succeed(`load ${name}`),
        new RegExp(`^HTTP/1\\.1 200[^]*\\r\\n${uid} `),
        name,
      );
  };
  const stateOf = () => said("dpkg-query -W -f '${db:Status-Abbrev}' bulkhead");
  const startLoad = () => succeed('systemd-run --quiet --unit=load /usr/local/bin/load');
  const loadReport = async (): Promise<LoadReport> => {
    const now = Number(await said(`sed -n 's/.*"served":\\([0-9]*\\).*/\\1/p' /run/load/report`));
    // What comes after the change counts as well.
    await guest.until(
      `[ "$(sed -n 's/.*"served":\\([0-9]*\\).*/\\1/p' /run/load/report)" -gt ${now + 4} ]`,
      'cat /run/load/report; systemctl status load',
    );
    await succeed(
      'touch /run/load/stop; while systemctl is-active --quiet load; do sleep 0.2; done',
    );
    return JSON.parse(await succeed('cat /run/load/report')) as LoadReport;
  };
  const underLoad = async (change: () => Promise<unknown>) => {
    await startLoad();
    await guest.until('[ -s /run/load/report ]', 'systemctl status load');
    await change();
    const report = await loadReport();
    process.stderr.write(`${report.served} requests meanwhile\n`);
    assert.deepEqual(report.wrong, []);
  };

  test('is disabled after it is installed, and limits nothing', { timeout }, async () => {
    const output = await succeed(`${apt} install ${fileOf(versions.older)} 2>&1`);
    assert.match(output, /nothing is limited yet/);
    assert.equal((await run('systemctl is-enabled bulkhead')).stdout, 'disabled\n');
    assert.equal((await run('systemctl is-active bulkhead')).stdout, 'inactive\n');
    assert.equal((await run('ls -d /etc/bulkhead /var/lib/bulkhead /run/bulkhead')).stdout, '');
    const etc = (lines: readonly string[]) => lines.filter((line) => line.startsWith('etc/'));
    assert.deepEqual(etc(await tree()), etc(treeBefore));
  });

  test('is set up from answers, and limits tenants', { timeout }, async () => {
    await withPatientFpm(guest, home);
    const answers = { version: 1, level: 'limit', tenants: '3001-3099', alerts: 'none' };
    await guest.succeed('cat > /root/answers.json', { input: JSON.stringify(answers) });
    const done = await run('bulkhead setup --json --answers /root/answers.json');
    assert.equal(done.status, 0, done.stderr + done.stdout);
    assert.deepEqual((JSON.parse(done.stdout) as SetupJson).problems, []);
    limits = await limitsNow();
    assert.match(limits, /pids\.max:\d+\n/);
    await agentIs(versions.older);
    await sitesAreServed();
  });

  test('is upgraded under load: no request fails, and limits stand', { timeout }, async () => {
    await underLoad(async () => {
      await succeed(`${apt} install ${fileOf(versions.newer)} 2>&1`);
      await agentIs(versions.newer);
    });
    await limitsStand();
  });

  test(
    'starts nothing of a package that is only unpacked from the agent before it',
    { timeout },
    async () => {
      await underLoad(async () => {
        await succeed(`${dpkg} --unpack ${fileOf(versions.older)} 2>&1`);
        assert.equal(await stateOf(), 'iU');
        // A changed policy is applied by another process, which belongs to the other version: the agent ends.
        await succeed('bulkhead set ann processes=77');
        await agentIs(versions.older);
        const journal = await succeed('journalctl --no-pager -u bulkhead');
        assert.match(journal, /The files of another version were installed/);
        assert.match(await limitsNow(), /^user-3001\.slice\/pids\.max:77$/m);
      });
      limits = await limitsNow();
      await succeed(`${dpkg} --configure -a 2>&1`);
      assert.equal(await stateOf(), 'ii');
      await agentIs(versions.older);
      await limitsStand();
    },
  );

  test('is configured after its script was killed', { timeout }, async () => {
    await succeed(`${dpkg} --unpack ${fileOf(versions.newer)} 2>&1`);
    const trap = '/usr/local/sbin/deb-systemd-helper';
    await succeed(
      `printf '#!/bin/sh\\necho $PPID > /run/postinst\\nexec sleep 3600\\n' > ${trap}; chmod 755 ${trap}; (${dpkg} --configure -a > /run/dpkg.log 2>&1; echo $? > /run/dpkg.status) > /dev/null 2>&1 &`,
    );
    await guest.until('[ -s /run/postinst ]', 'cat /run/dpkg.log');
    await succeed(
      'kill -KILL "$(cat /run/postinst)"; until [ -s /run/dpkg.status ]; do sleep 0.2; done',
    );
    assert.notEqual(await said('cat /run/dpkg.status'), '0');
    assert.equal(await stateOf(), 'iF');
    await limitsStand();
    await sitesAreServed();
    await succeed(`rm ${trap}; ${dpkg} --configure -a 2>&1`);
    assert.equal(await stateOf(), 'ii');
    await agentIs(versions.newer);
    await limitsStand();
  });

  test('is not replaced without space on the disk, and is afterwards', { timeout }, async () => {
    const [before, next] = [current, current === versions.older ? versions.newer : versions.older];
    await underLoad(async () => {
      // Enough that dpkg begins, and too little for Node.js; root may also use what is reserved.
      await succeed('fallocate -l "$(($(stat -f -c "%f * %S" /) / 1048576 - 30))M" /root/full');
      const failed = await run(`${dpkg} --install ${fileOf(next)} 2>&1`);
      await limitsStand();
      await agentIs(before);
      await succeed('rm /root/full');
      assert.notEqual(failed.status, 0, failed.stdout);
      assert.match(failed.stdout, /No space left on device/);
      await succeed(`${apt} install --allow-downgrades ${fileOf(next)} 2>&1`);
      await agentIs(next);
    });
    await limitsStand();
  });

  test('enforces limits after a boot', { timeout }, async () => {
    await guest.reboot();
    await guest.until('systemctl is-active --quiet nginx php8.4-fpm', 'systemctl list-jobs');
    // A slice begins with its first unit.
    await sitesAreServed();
    await limitsStand();
    await agentIs(current);
  });

  test('leaves limits in force when it is removed, and says so', { timeout }, async () => {
    const output = await succeed(`${apt} remove bulkhead 2>&1`);
    assert.match(output, /limits, quotas and jails .* stay in force\r?\n.*release --all/);
    await limitsStand();
    assert.equal((await run('systemctl is-active bulkhead')).stdout, 'inactive\n');
    await sitesAnswer();
    assert.equal(await said(`ls -d ${home} 2>/dev/null; true`), '');
  });

  test('is enabled as before when it is installed again', { timeout }, async () => {
    const output = await succeed(`${apt} install ${fileOf(versions.newer)} 2>&1`);
    assert.doesNotMatch(output, /warning|error/i);
    assert.equal((await run('systemctl is-enabled bulkhead')).stdout, 'enabled\n');
    assert.equal((await run('systemctl is-active bulkhead')).stdout, 'inactive\n');
    await succeed('systemctl start bulkhead');
    await agentIs(versions.newer);
    await limitsStand();
  });

  test(
    'leaves the host as it was before when it is purged, except for the policy',
    { timeout },
    async () => {
      await succeed(`${apt} purge bulkhead 2>&1`);
      const now = await tree();
      const pathsOf = (lines: readonly string[]) => [
        ...new Set(lines.map((line) => line.split(' ', 1)[0])),
      ];
      const added = pathsOf(now.filter((line) => !treeBefore.includes(line)));
      const gone = pathsOf(treeBefore.filter((line) => !now.includes(line)));
      assert.deepEqual([added, gone], [['etc/bulkhead', 'etc/bulkhead/policy.xml'], []]);
      // Tenants' processes run on, and with them the scopes that they are in.
      const units = "systemctl list-units --all --plain --no-legend 'bulkhead*'";
      assert.equal(await said(`${units} | grep -v '^bulkhead-[0-9]*[.]scope ' || true`), '');
      await succeed('nginx -t');
      await sitesAnswer();
    },
  );
});

/**
 * Debian's mariadb.service with the systemd driver: enabled, tenants' slices frozen or given less CPU, and neither when the
 * agent is killed. Next to it tenants' own servers, in a slice and in a jail, and a hundred of them at boot.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { DbStatusJson } from '../../../../src/database/commands/json.ts';
import { jsonOf } from '../../../../testing/json-output.ts';
import { installFromPool } from '../../../../testing/package-pool.ts';
import { longPatienceMilliseconds } from '../../../../testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);
const timeout = longPatienceMilliseconds;

const policyOf = (instance: string, more = '') =>
  `<bulkhead version="1"><host driver="systemd"/><agent interval="2s"/><databases hold="on"/>
  <package name="db"><database instance="${instance}"/></package>
  <tenant user="ann" package="db"><database cpu="20%"/><memory limit="400MiB"/><processes limit="100"/></tenant>
  <tenant user="ben" package="db"><jail profile="web"/></tenant><tenant user="cat"/>${more}</bulkhead>
`;
const slices = '/sys/fs/cgroup/user.slice';
const freeze = `${slices}/user-3001.slice/bulkhead-3001.scope/cgroup.freeze`;
const noRestart =
  'mkdir -p /run/systemd/system/bulkhead.service.d && printf "[Service]\\nRestart=no\\n" > /run/systemd/system/bulkhead.service.d/no.conf && systemctl daemon-reload';
const ids =
  "bulkhead faults --limit cpu.limit --json ann | grep -o '\"id\": *[0-9]*' | grep -o '[0-9]*$'";
const restartAgain = 'rm -r /run/systemd/system/bulkhead.service.d; systemctl daemon-reload';
const socketOf = (uid: number) => `/run/bulkhead/databases/${uid}/mysqld.sock`;
const loop =
  'while :; do mariadb -e "SELECT SUM(RAND(seq)) FROM test.seq_1_to_200000" >/dev/null; done';

suite('database servers with systemd', { skip: guests.skip, timeout }, () => {
  const host = guestOfSuite(guests, async () => {
    const installed = await installFromPool(host.guest, ['mariadb-server', 'mariadb-client']);
    assert.ok(installed.ok, installed.ok ? '' : installed.error.reason);
    await host.succeed(
      'for each in 3001:ann 3002:ben 3003:cat; do useradd -m -u ${each%:*} ${each#*:}; done; ln -s /dev/null /etc/systemd/system/user@.service; systemctl daemon-reload; systemctl start mariadb',
    );
  });
  const apply = async (policy: string) => {
    await host.write('/etc/bulkhead/policy.xml', policy);
    await host.succeed('bulkhead apply');
  };
  /** Asks a tenant's own server, as an account, in its jail if it has one. */
  const own = (user: string, uid: number, statement: string) =>
    host.run(
      `bulkhead exec ${user} -- mariadb --no-defaults -N -S ${socketOf(uid)} -e ${JSON.stringify(statement)}`,
    );
  const status = async () =>
    jsonOf<DbStatusJson>('db status', await host.succeed('bulkhead db status --json'));
  const stateOf = async (tenant: string) =>
    (await status()).own.find((each) => each.tenant === tenant);

  test('db enable gives Bulkhead its rights, also after a restart', async () => {
    await host.succeed(
      `bulkhead db enable --dry-run && bulkhead db enable && mariadb -e "CREATE DATABASE test; CREATE USER ann@localhost IDENTIFIED VIA unix_socket; GRANT ALL ON test.* TO ann@localhost; CREATE DATABASE ann_shop; CREATE TABLE ann_shop.t AS SELECT 7 AS seven; GRANT ALL ON ann_shop.* TO ann@localhost"`,
    );
    await host.succeed('systemctl restart mariadb');
    assert.equal(await host.succeed('mariadb -N -e "SELECT @@GLOBAL.userstat"'), '1\n');
    const [server] = (await status()).servers;
    assert.deepEqual([server?.isEnabled, server?.problem], [true, null]);
  });

  test("a tenant's slice is frozen, and thawed when the agent is killed", async () => {
    await apply(policyOf('shared'));
    await host.succeed('bulkhead units enable');
    await host.until('bulkhead status');
    await host.succeed(
      `setsid bulkhead exec ann -- sh -c ${JSON.stringify(loop)} >/dev/null 2>&1 </dev/null &`,
    );
    await host.until(`grep -qx 1 ${freeze}`);
    // Neither the watchdog nor another agent thaws it: both are gone.
    await host.succeed(noRestart);
    // A slice is thawed within a second: both are stopped first, so that it is frozen when they are killed.
    await host.succeed(
      `pids=$(cat /sys/fs/cgroup/system.slice/bulkhead.service/cgroup.procs)
       while kill -STOP $pids && read -r now < ${freeze} && [ "$now" = 0 ]; do kill -CONT $pids; sleep 0.05; done
       systemctl kill --signal=KILL bulkhead`,
    );
    await host.until('systemctl is-failed bulkhead');
    assert.equal(await host.succeed(`cat ${freeze}`), '0\n');
    await host.succeed(`${restartAgain}; systemctl restart bulkhead`);
    await host.until(`grep -qx 1 ${freeze}`);
    await host.succeed('pkill -u ann sh');
    await host.until('bulkhead faults --limit database.cpu ann | grep database');
    // Nothing below needs the agent.
    await host.succeed('bulkhead units disable');
  });

  test('CPU limits fall while the server works for tenants, and are whole when the agent is killed', async () => {
    await apply(
      `<bulkhead version="1"><host driver="systemd"/><agent interval="2s"/><databases hold="watch"/>
  <defaults><cpu limit="60%"/><database counts="yes"/></defaults><tenant user="ann"/>
  <reseller user="cat"><cpu limit="120%"/><tenant user="ben"/></reseller></bulkhead>
`,
    );
    const reseller = (await host.succeed('find /sys/fs/cgroup -name r3003')).trim();
    const limits = [
      [`${slices}/user-3001.slice/cpu.max`, 60_000],
      [`${reseller}/u3002/cpu.max`, 60_000],
      [`${reseller}/cpu.max`, 120_000],
    ] as const;
    const are = (test: string) =>
      host.until(
        limits.map(([file, full]) => `[ "$(cut -d' ' -f1 ${file})" ${test} ${full} ]`).join(' && '),
        `head ${limits.map(([file]) => file).join(' ')} /run/bulkhead/database-quotas; journalctl -u bulkhead -n 30 --no-pager`,
      );
    const isWhole = () => are('-eq');
    await host.succeed(
      'mariadb -e "CREATE USER ben@localhost IDENTIFIED VIA unix_socket; GRANT ALL ON test.* TO ben@localhost"',
    );
    await host.succeed('bulkhead units enable');
    await host.until('bulkhead status');
    for (const user of ['ann', 'ben'])
      await host.succeed(
        `setsid bulkhead exec ${user} -- sh -c ${JSON.stringify(loop.replace('200000', '2000000'))} >/dev/null 2>&1 </dev/null &`,
      );
    await are('-lt');
    // systemd and Bulkhead both know the whole limit.
    await host.succeed('bulkhead verify');
    assert.equal(
      await host.succeed('systemctl show -P CPUQuotaPerSecUSec user-3001.slice'),
      '600ms\n',
    );
    await host.until("bulkhead explain ann | grep -q 'cpu limit now'");
    await host.until('bulkhead usage cat | grep "the CPU limit is .* now"', 'bulkhead usage');
    // A program at what is left of the limit.
    await host.succeed(
      "setsid bulkhead exec ann -- sh -c 'while :; do :; done' >/dev/null 2>&1 </dev/null &",
    );
    await host.until(
      `for id in $(${ids}); do bulkhead incident $id; done | tr '\\n' ' ' | grep -E 'limit of 60% .*Database work counts +toward +this +limit'`,
      'bulkhead faults; bulkhead usage; bulkhead incident 1',
    );
    // systemd writes all limits again, or the administrator changes one of them.
    await host.succeed(
      'systemctl daemon-reload && systemctl set-property --runtime user-3001.slice CPUWeight=90',
    );
    await are('-lt');
    // The watchdog restores the limits of an agent that is gone, and those of one that hangs.
    await host.succeed('systemctl kill --kill-whom=main --signal=STOP bulkhead');
    await isWhole();
    await host.succeed('systemctl kill --kill-whom=main --signal=CONT bulkhead');
    await are('-lt');
    await host.succeed(`${noRestart} && systemctl kill --signal=KILL bulkhead`);
    await host.until('systemctl is-failed bulkhead');
    await isWhole();
    await host.succeed('test ! -s /run/bulkhead/database-quotas; systemctl start bulkhead');
    await are('-lt');
    await host.succeed('systemctl stop bulkhead');
    await isWhole();
    assert.equal(await host.succeed('ls /run/bulkhead | grep quotas || echo none'), 'none\n');
    await host.succeed(`${restartAgain}; pkill -u ann; pkill -u ben; bulkhead units disable`);
  });

  test("a tenant's own server starts with the first connection, in its slice or its jail", async () => {
    await apply(policyOf('own'));
    assert.equal((await stateOf('ann'))?.state, 'idle');
    for (const [user, uid] of [
      ['ann', 3001],
      ['ben', 3002],
    ] as const) {
      const said = await own(user, uid, 'SELECT CURRENT_USER()');
      assert.deepEqual([said.stdout, said.stderr], [`${user}@localhost\n`, '']);
      const found = await stateOf(user);
      assert.equal(found?.state, 'running');
      assert.ok((found.memoryBytes ?? 0) > 2 ** 25, `${found.memoryBytes}`);
      assert.ok((found.since ?? 0) > 1e12);
      const server = `$(pgrep -u ${user} -x mariadbd)`;
      assert.equal(
        await host.succeed(`cat /proc/${server}/cgroup`),
        `0::/user.slice/user-${uid}.slice/bulkhead-app@${uid}:mariadb.service\n`,
      );
      assert.equal(
        await host.succeed(`stat -c %u /home/${user}/.bulkhead/mariadb/data`),
        `${uid}\n`,
      );
      assert.equal(
        (await host.succeed(`ls /proc/${server}/root/home`)).includes('cat'),
        user === 'ann',
      );
    }
    assert.match(await host.succeed('bulkhead app log ann/mariadb'), /ready for connections/);
    assert.match(
      await host.succeed('bulkhead doctor'),
      /2 database servers of tenants' own: 2 running/,
    );
  });

  test('nobody else reaches it, whatever its tenant does', async () => {
    const refused = async (user: string, uid: number) => (await own(user, uid, 'SELECT 1')).stderr;
    assert.match(await refused('cat', 3001), /\(13/);
    assert.match(await refused('ben', 3001), /\(13/);
    await host.succeed(`bulkhead exec ann -- chmod 666 ${socketOf(3001)}`);
    assert.match(await refused('cat', 3001), /Lost connection|gone away/);
    assert.notEqual((await host.run(`mariadb --no-defaults -S ${socketOf(3001)} -e ''`)).status, 0);
    assert.equal((await own('ann', 3001, 'SELECT 1')).stdout, '1\n');
    for (const each of [`rm -f ${socketOf(3001)}`, 'ls /run/bulkhead/databases'])
      assert.notEqual((await host.run(`bulkhead exec ann -- ${each}`)).status, 0, each);
  });

  test('its data come from the shared server, and stay when it goes', async () => {
    await host.succeed(
      `mariadb-dump --single-transaction --databases ann_shop > /home/ann/shop.sql; chown ann /home/ann/shop.sql; bulkhead exec ann -- sh -c 'mariadb --no-defaults -S ${socketOf(3001)} < shop.sql'`,
    );
    assert.equal((await own('ann', 3001, 'SELECT seven FROM ann_shop.t')).stdout, '7\n');
    assert.notEqual((await host.run('bulkhead release')).status, 0);
    await apply(policyOf('shared'));
    assert.notEqual((await own('ann', 3001, 'SELECT 1')).status, 0);
    await host.succeed(
      '! pgrep -u ann -x mariadbd && test -d /home/ann/.bulkhead/mariadb/data/ann_shop && ! ls -d /etc/systemd/system/bulkhead-app@* /run/bulkhead/databases/3001',
    );
    await apply(policyOf('own'));
    assert.equal((await own('ann', 3001, 'SELECT seven FROM ann_shop.t')).stdout, '7\n');
  });

  test('of a hundred servers none starts at boot', async () => {
    await host.succeed('for uid in $(seq 3101 3200); do useradd -M -u $uid t$uid; done');
    await apply(policyOf('own', '<tenants uids="3101-3200" package="db"/>'));
    await host.guest.reboot();
    await host.until(
      '[ "$(systemctl list-units --state=active --no-legend "bulkhead-app@*.socket" | wc -l)" = 102 ]',
    );
    assert.equal(await host.succeed('pgrep -x mariadbd | wc -l'), '1\n');
    // No unit of Bulkhead makes the jails at boot here.
    await host.succeed('bulkhead apply');
    assert.equal(await host.succeed('pgrep -x mariadbd | wc -l'), '1\n');
    assert.equal((await own('ben', 3002, 'SELECT 1')).stdout, '1\n');
  });
});

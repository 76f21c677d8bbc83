/** `units enable` and `units disable` with Debian's systemd: started, repaired, there after a reboot, and gone without a trace. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ownUnits, type OwnUnit } from '../../../../src/host/systemd/own-units.ts';
import { longPatienceMilliseconds } from '../../../../testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);
const timeout = longPatienceMilliseconds;

const policy = (
  agent = '',
) => `<bulkhead version="1"><host driver="systemd"/><agent interval="2s"${agent}/>
  <tenant user="ann"><processes limit="41"/></tenant></bulkhead>
`;
const port = ' listen="127.0.0.1:9640" token="/etc/bulkhead/token"';
const directory = '/etc/systemd/system';

const namesOf = (use: OwnUnit['use']) =>
  ownUnits.filter((each) => each.use === use).map(({ name }) => name);
const called = namesOf('called');
/** Another command enables them. */
const chosen = namesOf('chosen');
const enabled = namesOf('enabled');
/** The socket holds the port, and is a unit only if the policy has a port. */
const socket = 'bulkhead.socket';
const withoutPort = enabled.filter((name) => name !== socket);

suite('units enable on a host with systemd', { skip: guests.skip }, () => {
  const said = async (command: string) => (await succeed(command)).trim();
  /** Lists systemd's units and their files, without the service that the tree of resellers is delegated to. */
  const traces = () =>
    said(
      `cd /; { find etc/systemd run/systemd/system run/systemd/transient -iname '*bulkhead*' ! -name 'bulkhead*.service.d'; find etc/systemd -type d -name '*.wants'; systemctl list-units --all --no-legend --plain 'bulkhead*'; systemctl list-unit-files --no-legend 'bulkhead*'; ls /run/bulkhead/*.sock 2>/dev/null; } | grep -v bulkhead-tenants | sort`,
    );
  const states = (what: 'is-enabled' | 'is-active', names: readonly string[]) =>
    run(`systemctl ${what} ${names.join(' ')}`).then(({ stdout }) => stdout.trim().split('\n'));
  const isThere = async (names: readonly string[]) => {
    assert.deepEqual(
      await states('is-enabled', names),
      names.map(() => 'enabled'),
    );
    for (const name of names) {
      // What only runs once has ended, without a failure.
      const result = await said(`systemctl show -P Result ${name}`);
      assert.equal(result, 'success', name);
    }
    const stay = names.filter((name) => name === 'bulkhead.service' || name.endsWith('.socket'));
    assert.deepEqual(
      await states('is-active', stay),
      stay.map(() => 'active'),
    );
    await until(`bulkhead status --json | grep -q '"state": *"in force"'`);
  };
  const limit = () => said(`su ann -c 'cat /sys/fs/cgroup/user.slice/user-3001.slice/pids.max'`);
  const noneFailed = async () =>
    assert.equal(await said('systemctl --failed --no-legend --plain || true'), '');
  let before = '';

  const host = guestOfSuite(guests, async () => {
    await write('/etc/bulkhead/policy.xml', policy());
    await succeed(`useradd -m -u 3001 -s /bin/sh ann; systemctl mask -q user@.service
umask 077; head -c 32 /dev/urandom | base64 > /etc/bulkhead/token; umask 022
for unit in bulkhead bulkhead-placement bulkhead-jail bulkhead-symlinks; do mkdir -p ${directory}/$unit.service.d
printf '[Service]\\nTimeoutStartSec=infinity\\nWatchdogSec=0\\n' > ${directory}/$unit.service.d/patient.conf; done
systemctl daemon-reload; bulkhead apply`);
    before = await traces();
  });
  const { run, succeed, until, write } = host;

  test('units disable has nothing to remove before units enable', { timeout }, async () => {
    assert.equal((await run('bulkhead units status')).status, 3);
    assert.equal(await said('bulkhead units disable'), 'No unit of Bulkhead is left');
    const listed = await said('bulkhead units enable --dry-run');
    assert.deepEqual(
      listed.split('\n').toSorted(),
      [...called, ...chosen, ...withoutPort].toSorted(),
    );
    assert.equal(await traces(), before);
  });

  test('units enable starts the units, and the policy is in force', { timeout }, async () => {
    await succeed('bulkhead units enable');
    await isThere(withoutPort);
    assert.equal((await run(`test -e ${directory}/${socket}`)).status, 1);
    assert.equal(await limit(), '41');
    const status = await succeed('bulkhead units status');
    for (const name of called)
      assert.match(status, new RegExp(`^${name} +current +when needed`, 'm'));
    for (const name of chosen) assert.match(status, new RegExp(`^${name} +current +no`, 'm'));
    for (const name of withoutPort) assert.match(status, new RegExp(`^${name} +current +yes`, 'm'));
    assert.equal(await said('bulkhead units enable --dry-run'), 'Nothing would be written');
    await noneFailed();
  });

  test("the socket unit holds the agent's port while the agent is down", { timeout }, async () => {
    await write('/etc/bulkhead/policy.xml', policy(port));
    assert.equal((await run('bulkhead units status')).status, 3);
    await succeed('bulkhead units enable');
    await isThere(enabled);
    const listener = () =>
      said(`ss -Hltnp 'sport = :9640' | grep -o '"[a-z]*",pid=[0-9]*' | sort -u`);
    assert.match(await listener(), /pid=1$/m);
    const ask = `perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new("127.0.0.1:9640") or die; open my $t, "<", "/etc/bulkhead/token"; chomp(my $k = <$t>); print $s "GET /v1/status HTTP/1.0\\r\\nHost: localhost\\r\\nAuthorization: Bearer $k\\r\\n\\r\\n"; print scalar <$s>'`;
    assert.match(await said(ask), /^HTTP\/1\.1 200/);
    await succeed('systemctl stop bulkhead.service');
    const taken = await run(
      `su ann -c "perl -MIO::Socket::INET -e 'IO::Socket::INET->new(LocalAddr => q(127.0.0.1), LocalPort => 9640, Listen => 1) or die q(taken)'"`,
    );
    assert.match(taken.stderr, /taken/);
    // A connection starts it again.
    assert.match(await said(ask), /^HTTP\/1\.1 200/);
    await isThere(enabled);
  });

  test('units enable rewrites an old file, and refuses a foreign one', { timeout }, async () => {
    const file = `${directory}/bulkhead-jail.service`;
    const good = await succeed(`cat ${file}`);
    await succeed(`echo '# old' >> ${file}`);
    const old = await run('bulkhead units status');
    assert.equal(old.status, 3);
    assert.match(old.stdout, /^bulkhead-jail\.service +old/m);
    assert.equal(await said('bulkhead units enable --dry-run'), 'bulkhead-jail.service');
    await succeed('bulkhead units enable');
    assert.equal(await succeed(`cat ${file}`), good);
    await write(file, "[Unit]\nDescription=somebody's own\n[Service]\nExecStart=/bin/true\n");
    const foreign = await run('bulkhead units enable');
    assert.equal(foreign.status, 1);
    assert.match(foreign.stderr, /that Bulkhead did not write; move it away/);
    assert.match(await succeed(`cat ${file}`), /somebody's own/);
    await write(file, good);
    await succeed('systemctl daemon-reload; bulkhead units status');
  });

  test('the agent starts again after it was killed', { timeout }, async () => {
    const pid = await said('systemctl show -P MainPID bulkhead');
    await succeed(`kill -KILL ${pid}`);
    await until(
      `systemctl is-active -q bulkhead && [ "$(systemctl show -P MainPID bulkhead)" != ${pid} ]`,
    );
    await isThere(enabled);
  });

  test('all units are active after a reboot', { timeout }, async () => {
    await host.guest.reboot();
    await until('systemctl is-active -q bulkhead');
    await isThere(enabled);
    assert.equal(await limit(), '41');
    await noneFailed();
    await succeed('bulkhead units status && bulkhead verify');
  });

  test('units disable removes all units, and limits stay', { timeout }, async () => {
    const listed = await said('bulkhead units disable --dry-run');
    assert.deepEqual(listed.split('\n').toSorted(), [...called, ...chosen, ...enabled].toSorted());
    await isThere(enabled);
    const text = await said('bulkhead units disable');
    for (const name of [...called, ...chosen, ...enabled]) assert.ok(text.includes(name), text);
    assert.match(text, /limits stay in force$/);
    assert.equal(await traces(), before);
    assert.equal(await said('pgrep -f "[c]li/main" || true'), '');
    assert.equal(await said("ss -Hltn 'sport = :9640'"), '');
    assert.equal(await limit(), '41');
    assert.equal(await said('bulkhead units disable'), 'No unit of Bulkhead is left');
    await noneFailed();
  });

  test(
    'no unit starts after another reboot, and slices have their limits',
    { timeout },
    async () => {
      await host.guest.reboot();
      await until('systemctl is-system-running | grep -Eq "running|degraded"');
      assert.equal(await traces(), before);
      assert.equal(await limit(), '41');
      await noneFailed();
    },
  );
});

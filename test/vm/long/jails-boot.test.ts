/** The boot of a host whose policy has jails and strict placement: both are in force before anybody can come. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);
const patient = { timeout: longPatienceMilliseconds };

const units = ['bulkhead-jail', 'bulkhead-placement'] as const;
const servers = ['cron', 'nginx'] as const;

/** Processors are emulated, and the machine may be busy. */
const setUp = `set -e
useradd -u 4201 -m -s /bin/sh alice
mkdir -p /etc/bulkhead
cat > /etc/bulkhead/policy.xml
for unit in ${units.join(' ')}; do
  cp /opt/bulkhead/packaging/$unit.service /etc/systemd/system/
  mkdir -p /etc/systemd/system/$unit.service.d
  printf '[Service]\\nTimeoutStartSec=infinity\\n' > /etc/systemd/system/$unit.service.d/patient.conf
done
systemctl daemon-reload
systemctl enable --quiet ${[...units, ...servers].join(' ')}
bulkhead apply --quiet`;

suite('jails and placement at boot', { skip: guests.skip }, () => {
  /** Microseconds since boot, or a word. */
  const property = async (unit: string, name: string) =>
    (await succeed(`systemctl show -P ${name} ${unit}`)).trim();

  const { run, succeed } = guestOfSuite(guests, async (guest) => {
    await succeed(
      setUp,
      '<bulkhead version="1"><host driver="cgroup2"/><placement strict="yes"/><tenant user="alice"><jail profile="web"/></tenant></bulkhead>\n',
    );
    await guest.reboot();
    await guest.until(
      servers.map((each) => `systemctl is-active --quiet ${each}`).join(' && '),
      'systemctl list-jobs',
    );
  });

  test('units have finished before logins and web servers start', patient, async () => {
    for (const unit of units) {
      assert.equal(await property(unit, 'Result'), 'success');
      const ended = Number(await property(unit, 'InactiveEnterTimestampMonotonic'));
      assert.ok(ended > 0, unit);
      for (const server of servers.filter((each) => unit === 'bulkhead-jail' || each !== 'nginx')) {
        const began = Number(await property(server, 'InactiveExitTimestampMonotonic'));
        assert.ok(ended <= began, `${unit} ended at ${ended}, ${server} began at ${began}`);
      }
    }
  });

  test('the jail is ready after boot, and the kernel isolates it', patient, async () => {
    const { jails, apart } = JSON.parse(await succeed('bulkhead jail status --json')) as {
      readonly jails: readonly { readonly state: string }[];
      readonly apart: { readonly level: string };
    };
    assert.deepEqual([jails.map(({ state }) => state), apart.level], [['ready'], 'full']);
    assert.equal(await succeed('bulkhead exec alice -- ls /home'), 'alice\n');
  });

  test("placement is on after boot, and refuses a tenant's uid outside", patient, async () => {
    const { placement } = JSON.parse(await succeed('bulkhead placement status --json')) as {
      readonly placement: string;
    };
    assert.equal(placement, 'on');
    const outside = await run('setpriv --reuid 4201 --regid 4201 --clear-groups true');
    assert.notEqual(outside.status, 0);
  });
});

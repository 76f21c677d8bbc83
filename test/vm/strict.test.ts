/** Strict placement on a Debian host with systemd and its unmodified kernel: who becomes a tenant outside is refused. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { longPatienceMilliseconds } from '../../src/testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../src/testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);
const patient = { timeout: longPatienceMilliseconds };

const [alice, bob, reseller, stranger] = [4101, 4102, 4103, 4999] as const;
/** Of alice, in /etc/subuid. */
const subordinate = 700_000;

suite('Strict placement', { skip: guests.skip }, () => {
  const policy = (strict: string, modules = '', driver = 'cgroup2') =>
    succeed(
      'cat > /etc/bulkhead/policy.xml && bulkhead apply --quiet && bulkhead placement restore',
      `<bulkhead version="1"><host driver="${driver}"/>
  <tenant uid="${alice}"><processes limit="50"/></tenant>
  <reseller uid="${reseller}"><tenant uid="${bob}"><processes limit="50"/></tenant></reseller>
  ${strict}${modules}
</bulkhead>\n`,
    );
  const become = (uid: number) =>
    run(`setpriv --reuid ${uid} --regid ${uid} --clear-groups cat /proc/self/cgroup`);
  const status = async () =>
    JSON.parse(await succeed('bulkhead placement status --json')) as {
      placement: string | null;
      modules: string | null;
      outside: number;
      events: readonly {
        command: string;
        to: number;
        tenant: number;
        passed: boolean;
        module: string;
      }[];
    };

  const { run, succeed } = guestOfSuite(guests, () =>
    succeed(
      `mkdir -p /etc/bulkhead; useradd -u ${alice} -m alice; useradd -u ${bob} -m bob; echo alice:${subordinate}:65536 > /etc/subuid`,
    ),
  );

  test('watching, everybody may, and it is reported', patient, async () => {
    await policy('<placement strict="watch"/>');
    assert.equal((await become(alice)).status, 0);
    const { placement, outside, events } = await status();
    assert.deepEqual([placement, outside > 0], ['watch', true]);
    assert.deepEqual(
      events.map(({ command, to, passed }) => [command, to, passed]),
      [['setpriv', alice, true]],
    );
    assert.match(
      await succeed('bulkhead placement status'),
      /setpriv \(process \d+\) became uid 4101 outside of its cgroup; start it with "bulkhead exec"/,
    );
  });

  test('on, it is refused outside, and nobody else is', patient, async () => {
    await policy('<placement strict="yes"/>');
    for (const uid of [alice, bob, subordinate, subordinate + 65_535]) {
      const { status: code, stderr } = await become(uid);
      assert.notEqual(code, 0, `uid ${uid}`);
      assert.match(stderr, /not permitted/);
    }
    for (const uid of [stranger, subordinate + 65_536, subordinate - 1, reseller])
      assert.equal((await become(uid)).status, 0, `uid ${uid}`);
    const inside = await succeed('bulkhead exec alice -- cat /proc/self/cgroup');
    assert.match(inside, new RegExp(`/u${alice}$`, 'm'));
    assert.match(await succeed('bulkhead exec bob -- cat /proc/self/cgroup'), /r4103\/u4102$/m);
  });

  test(
    "another tenant's cgroup, and one of the same name elsewhere, are outside",
    patient,
    async () => {
      const root = '/sys/fs/cgroup/bulkhead-tenants.service';
      const from = (cgroup: string, uid: number) =>
        run(
          `sh -c 'echo 0 > ${cgroup}/cgroup.procs && exec setpriv --reuid ${uid} --clear-groups true'`,
        );
      assert.equal((await from(`${root}/u${alice}`, alice)).status, 0);
      assert.notEqual((await from(`${root}/u${alice}`, bob)).status, 0);
      assert.notEqual((await from(`${root}/r${reseller}/u${bob}`, alice)).status, 0);
      await succeed(`mkdir /sys/fs/cgroup/u${alice} /sys/fs/cgroup/u${alice}/u${alice}`);
      assert.notEqual((await from(`/sys/fs/cgroup/u${alice}`, alice)).status, 0);
      assert.notEqual((await from(`/sys/fs/cgroup/u${alice}/u${alice}`, alice)).status, 0);
      await succeed(`rmdir /sys/fs/cgroup/u${alice}/u${alice} /sys/fs/cgroup/u${alice}`);
      // A cgroup of its own below is inside.
      await succeed(`mkdir ${root}/u${alice}/below`);
      const below = await from(`${root}/u${alice}/below`, alice);
      await succeed(`rmdir ${root}/u${alice}/below`);
      assert.equal(below.status, 0);
    },
  );

  test('su and cron are refused and named, with what places them', patient, async () => {
    assert.notEqual((await run('su alice -c true')).status, 0);
    assert.match(
      await succeed('bulkhead placement status'),
      /su \(process \d+\) was not let become uid 4101 outside of its cgroup; "bulkhead pam enable" places it/,
    );
    await succeed('bulkhead pam enable');
    await succeed('su alice -c true');
    await succeed('bulkhead pam disable');
  });

  test('under the driver systemd, a slice that comes and goes is inside', patient, async () => {
    await policy('<placement strict="yes"/>', '', 'systemd');
    assert.notEqual((await become(alice)).status, 0);
    for (let round = 0; round < 2; round++)
      assert.match(
        await succeed('bulkhead exec alice -- cat /proc/self/cgroup'),
        /user-4101\.slice\//,
      );
    // systemd starts nothing in a slice that it is about to stop.
    await succeed(
      'for i in $(seq 3000); do systemctl list-jobs --no-legend | grep -q user-4101.slice || break; sleep 0.2; done; systemd-run --quiet --wait --uid=alice --slice=user-4101.slice true',
    );
    assert.notEqual((await run('systemd-run --quiet --wait --uid=alice true')).status, 0);
  });

  test('a tenant cannot make the kernel load a module, and root can', patient, async () => {
    // socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP)
    const sctp = String.raw`perl -e 'socket(my $s, 2, 5, 132) ? print "socket" : print "none"'`;
    await policy('', '<modules autoload="no"/>');
    await run('rmmod sctp');
    assert.equal(await succeed(`bulkhead exec alice -- ${sctp}`), 'none');
    assert.equal((await run('grep -c ^sctp /proc/modules')).stdout, '0\n');
    const { modules, events } = await status();
    assert.equal(modules, 'on');
    assert.ok(events.some(({ module, tenant }) => /132/.test(module) && tenant === alice));
    assert.equal(await succeed(sctp), 'socket');
  });

  test('without it in the policy nothing is left in the kernel', patient, async () => {
    await policy('');
    assert.equal((await status()).placement, null);
    assert.equal((await become(alice)).status, 0);
    assert.equal(await succeed('ls -d /sys/fs/bpf/bulkhead 2>/dev/null || true'), '');
  });

  test('where cgroup v2 or BPF is missing, it says so and changes nothing', patient, async () => {
    await policy('<placement strict="yes"/>');
    const { status: code, stderr } = await run(
      "unshare -m sh -c 'mount -t tmpfs none /sys/kernel/security; bulkhead placement restore'",
    );
    assert.equal(code, 1);
    assert.match(stderr, /it is unknown whether BPF is in force/);
    assert.equal((await status()).placement, 'on');
    await policy('');
  });
});

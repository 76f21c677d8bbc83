/** Strict placement on a Debian host with systemd and its unmodified kernel: who becomes a tenant outside is refused. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { longPatienceMilliseconds } from '../../testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../testing/vm/suite.ts';
import { jsonOf } from '../../testing/json-output.ts';
import type { PlacementSyncJson, PlacementStatusJson } from '../../src/placement/commands/json.ts';

const guests = await prepareGuests(import.meta.filename);
const patient = { timeout: longPatienceMilliseconds };

const [alice, bob, reseller, dave, stranger] = [4101, 4102, 4103, 4104, 4999] as const;
/** Alice's first subordinate uid, in /etc/subuid. */
const subordinate = 700_000;
/** Dave's shell, which reports its place when it starts: login drops what was typed before. */
const probe = '/usr/local/bin/where';
const ssh =
  'ssh -F none -i /root/keys/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes';

suite('placement in the virtual machine', { skip: guests.skip }, () => {
  const policy = (strict: string, modules = '', driver = 'cgroup2') =>
    succeed(
      'cat > /etc/bulkhead/policy.xml && bulkhead apply --quiet',
      `<bulkhead version="1"><host driver="${driver}"/>
  <tenant uid="${alice}"><processes limit="50"/></tenant>
  <tenant uid="${dave}"/>
  <reseller uid="${reseller}"><tenant uid="${bob}"><processes limit="50"/></tenant></reseller>
  ${strict}${modules}
</bulkhead>\n`,
    );
  const become = (uid: number) =>
    run(`setpriv --reuid ${uid} --regid ${uid} --clear-groups cat /proc/self/cgroup`);
  const status = async () =>
    jsonOf<PlacementStatusJson>(
      'placement status',
      await succeed('bulkhead placement status --json'),
    );
  /** Takes the programs out and has them loaded anew, so that they have counted nothing. */
  const afresh = async (strict: string, driver?: string) => {
    await policy('', '', driver);
    await policy(strict, '', driver);
  };

  const { run, succeed } = guestOfSuite(guests, () =>
    succeed(
      `mkdir -p /etc/bulkhead /root/keys
       printf '#!/bin/sh\\ncat /proc/self/cgroup > /tmp/console\\n' > ${probe} && chmod 755 ${probe}
       useradd -u ${alice} -m alice; useradd -u ${bob} -m bob; useradd -u ${dave} -m -s ${probe} dave
       echo alice:${subordinate}:65536 > /etc/subuid
       ssh-keygen -q -t ed25519 -N "" -f /root/keys/id
       mkdir -m 700 /home/alice/.ssh && cp /root/keys/id.pub /home/alice/.ssh/authorized_keys && chown -R alice: /home/alice/.ssh
       systemctl start ssh cron atd`,
    ),
  );

  test('placement in watch mode only reports a uid outside', patient, async () => {
    await policy('<placement strict="watch"/>');
    // The self-test is in no count.
    assert.equal((await status()).outside, 0);
    assert.equal((await become(alice)).status, 0);
    const { placement, outside, events } = await status();
    assert.deepEqual([placement, outside], ['watch', 1]);
    assert.deepEqual(
      events.map(({ command, to, passed }) => [command, to, passed]),
      [['setpriv', alice, true]],
    );
    await succeed('systemd-run --unit=in-a-unit --wait --quiet setpriv --reuid 4101 true');
    assert.match(
      await succeed('bulkhead placement status'),
      /setpriv \(pid \d+, in-a-unit\.service\) would be refused uid 4101 \(alice\): it is outside that tenant's cgroup; "bulkhead exec alice -- …", instead of setpriv, places it$/m,
    );
  });

  test("placement refuses a tenant's uids outside its cgroup, and no others", patient, async () => {
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
    "placement treats another tenant's cgroup, or one of the same name, as outside",
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

  test('placement lets a daemon take a uid for a moment, and run nothing', patient, async () => {
    const perl = (program: string) =>
      run(`perl -e 'use POSIX (); require "syscall.ph" if 0; ${program}'`);
    // setresuid is 117 on x86-64, and -1 leaves one unchanged.
    const take = (real: number, effective: number, saved = -1) =>
      `syscall(117, ${real}, ${effective}, ${saved}) == 0 or exit 3;`;
    const [back, forGood] = [take(0, 0, 0), take(alice, alice, alice)];
    const ends = async (program: string) => (await perl(program)).status;
    // This is what pam_keyinit and sshd do.
    assert.equal(await ends(take(alice, -1) + back), 0);
    assert.equal(await ends(take(-1, alice) + back), 0);
    for (const first of [take(alice, -1), take(-1, alice)]) {
      assert.equal(await ends(first + forGood), 3, first);
      assert.equal(await ends(`${first} if (fork) { wait; exit($? >> 8) } ${forGood}`), 3, first);
    }
    assert.equal(await ends(take(alice, alice, 0)), 3);
    // A program would start with the effective uid of the tenant.
    assert.equal(await ends(`${take(-1, alice)} exec "/bin/true"; exit 4`), 4);
    assert.match(
      await succeed('bulkhead placement status'),
      /was refused to run "true" with effective uid 4101 \(alice\)/,
    );
  });

  test("placement refuses a tenant's setuid program outside", patient, async () => {
    const tool = '/home/alice/tool';
    await succeed(
      `cp /usr/bin/id ${tool} && chown alice ${tool} && chmod 4755 ${tool} && chmod 755 /home/alice`,
    );
    const asDaemon = `setpriv --reuid daemon --regid daemon --clear-groups ${tool}`;
    const refused = await run(asDaemon);
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr, /not permitted/);
    assert.notEqual((await run(`bulkhead exec bob --allow-setuid -- ${tool}`)).status, 0);
    assert.match(await succeed(`bulkhead exec alice -- ${tool} -u`), /^4101$/m);
    assert.match(
      await succeed('bulkhead placement status'),
      /setpriv \(pid \d+, .*\) was refused to run "tool" with effective uid 4101 \(alice\): it is outside that tenant's cgroup; .*"chmod u-s" takes the setuid bit from "tool"/,
    );
    // One of root's, and one of a subordinate uid.
    await succeed(`chown root ${tool} && chmod 4755 ${tool} && ${asDaemon}`);
    await succeed(`chown ${subordinate + 7} ${tool} && chmod 4755 ${tool}`);
    assert.notEqual((await run(asDaemon)).status, 0);
    await succeed(`chown ${stranger} ${tool} && chmod 4755 ${tool} && ${asDaemon}`);
    await policy('<placement strict="watch"/>');
    await succeed(`chown alice ${tool} && chmod 4755 ${tool} && ${asDaemon}; rm ${tool}`);
    assert.ok(((await status()).outside ?? 0) >= 1);
    await policy('<placement strict="yes"/>');
  });

  test(
    'placement enforces thousands of subordinate ranges, and names tenants that it lacks',
    patient,
    async () => {
      // Each of one uid, with a gap behind it.
      const ranges = 5_000;
      await succeed(
        `seq ${subordinate} 2 ${subordinate + 2 * ranges - 2} | sed 's/.*/alice:&:1/' > /etc/subuid`,
      );
      assert.match(
        await succeed('bulkhead placement status'),
        /^Strict placement: on, but uid 4101 is not enforced yet; run bulkhead apply; /m,
      );
      assert.match(
        await succeed('bulkhead doctor'),
        /placement is on, but uid 4101 is not enforced yet/,
      );
      await policy('<placement strict="yes"/>');
      assert.deepEqual((await status()).notEnforced, []);
      for (const at of [0, 511, 512, 1_023, 1_024, 4_999]) {
        const uid = subordinate + 2 * at;
        assert.notEqual((await become(uid)).status, 0, `uid ${uid}`);
        assert.equal((await become(uid + 1)).status, 0, `uid ${uid + 1}`);
      }
      await succeed(
        `sed -i 's|<tenant uid="${dave}"/>|&<tenant uid="${stranger}"/>|' /etc/bulkhead/policy.xml`,
      );
      assert.deepEqual((await status()).notEnforced, [stranger]);
      await succeed(`echo alice:${subordinate}:65536 > /etc/subuid`);
    },
  );

  test('placement refuses su until pam enable places it, and says so', patient, async () => {
    await policy('<placement strict="yes"/>');
    assert.notEqual((await run('su alice -c true')).status, 0);
    assert.match(
      await succeed('bulkhead placement status'),
      /su \(pid \d+, .*\) was refused uid 4101 \(alice\): it is outside that tenant's cgroup; "bulkhead pam enable" places it/,
    );
    await succeed('bulkhead pam enable');
    await succeed('su alice -c true');
  });

  for (const driver of ['cgroup2', 'systemd'])
    test(`placement allows su, ssh, cron, at and exec on ${driver}`, patient, async () => {
      await succeed('bulkhead pam enable');
      await afresh('<placement strict="watch"/>', driver);
      const where = 'cat /proc/self/cgroup';
      await succeed(
        `echo '* * * * * alice ${where} > /tmp/cron.alice' > /etc/cron.d/where; rm -f /tmp/*.alice /tmp/console`,
      );
      const inside = driver === 'systemd' ? /user-4101\.slice\// : /\/u4101$/m;
      for (const way of [
        `su alice -c '${where}'`,
        `su - alice -c '${where}'`,
        `${ssh} alice@127.0.0.1 ${where}`,
        `scp -q ${ssh.slice('ssh '.length)} alice@127.0.0.1:/proc/self/cgroup /tmp/scp && cat /tmp/scp`,
        `bulkhead exec alice -- ${where}`,
        `echo '${where} > /tmp/at.alice' | su alice -c 'at now' 2>/dev/null; until [ -s /tmp/at.alice ]; do sleep 0.2; done; cat /tmp/at.alice`,
        `until [ -s /tmp/cron.alice ]; do sleep 0.2; done; rm /etc/cron.d/where; cat /tmp/cron.alice`,
      ])
        assert.match(await succeed(way), inside, way);
      await succeed("script -qec 'login -f dave' /dev/null </dev/null");
      assert.match(await succeed('cat /tmp/console'), /4104/);
      const { outside, events } = await status();
      assert.equal(outside, 0, JSON.stringify(events));
      await policy('<placement strict="yes"/>', '', driver);
      await succeed(`su - alice -c true && ${ssh} alice@127.0.0.1 true`);
      assert.equal((await status()).outside, 0);
    });

  test('placement refuses no su and no cron job while systemd answers late', patient, async () => {
    await succeed('bulkhead pam enable');
    await policy('<placement strict="yes"/>', '', 'systemd');
    const freeze = (on: 0 | 1) => `echo ${on} > /sys/fs/cgroup/init.scope/cgroup.freeze`;
    const asks = 'pgrep -x busctl';
    const byCron = `for pid in $(${asks}); do ps -o comm= -p $(ps -o ppid= -p $pid); done | grep -qi cron`;
    const untilNoScope =
      'while [ -d /sys/fs/cgroup/user.slice/user-4101.slice/bulkhead-4101.scope ]; do sleep 0.2; done';
    await succeed(
      `rm -f /tmp/late.*; ${untilNoScope}
       echo '* * * * * alice echo > /tmp/late.cron' > /etc/cron.d/late
       until ! ${asks}; do sleep 0.2; done; ${freeze(1)}
       (su alice -c 'echo > /tmp/late.su') </dev/null >/dev/null 2>&1 &
       until ${byCron}; do sleep 0.2; done
       sleep 3; ls /tmp/late.* 2>/dev/null; ${freeze(0)}
       rm /etc/cron.d/late
       for way in su cron; do until [ -e /tmp/late.$way ]; do sleep 0.2; done; done`,
    );
  });

  test('placement refuses units with User= and runuser', patient, async () => {
    await succeed('bulkhead pam disable');
    await policy('<placement strict="yes"/>', '', 'systemd');
    await succeed(
      "printf '[Service]\\nType=oneshot\\nUser=alice\\nExecStart=/bin/true\\n' > /run/systemd/system/alice-app.service; systemctl daemon-reload",
    );
    assert.notEqual((await run('systemctl start alice-app')).status, 0);
    assert.notEqual((await run('runuser -u alice true')).status, 0);
    const said = await succeed('bulkhead placement status');
    assert.match(
      said,
      /\(true\) \(pid \d+, alice-app\.service\) was refused uid 4101 \(alice\): .*; Slice=user-4101\.slice in alice-app\.service places it$/m,
    );
    assert.match(said, /runuser .* "bulkhead exec alice -- …", instead of runuser, places it$/m);
    await succeed(
      'mkdir /run/systemd/system/alice-app.service.d; printf "[Service]\\nSlice=user-4101.slice\\n" > /run/systemd/system/alice-app.service.d/slice.conf; systemctl daemon-reload; systemctl start alice-app',
    );
  });

  test('placement allows a systemd slice that comes and goes', patient, async () => {
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

  test('autoload="no" keeps a tenant from loading a kernel module', patient, async () => {
    // socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP)
    const sctp = String.raw`perl -e 'socket(my $s, 2, 5, 132) ? print "socket" : print "none"'`;
    await policy('', '<modules autoload="no"/>');
    await run('rmmod sctp');
    assert.equal(await succeed(`bulkhead exec alice -- ${sctp}`), 'none');
    assert.equal((await run('grep -c ^sctp /proc/modules')).stdout, '0\n');
    const { modules, events } = await status();
    assert.equal(modules, 'on');
    assert.ok(events.some(({ name, tenant }) => /132/.test(name) && tenant === alice));
    assert.equal(await succeed(sctp), 'socket');
  });

  test('placement leaves nothing once the policy is without it', patient, async () => {
    await policy('');
    assert.equal((await status()).placement, null);
    assert.equal((await become(alice)).status, 0);
    assert.equal(await succeed('ls -d /sys/fs/bpf/bulkhead 2>/dev/null || true'), '');
  });

  test('placement sync fails and changes nothing where BPF is missing', patient, async () => {
    await policy('<placement strict="yes"/>');
    const again = await succeed('bulkhead placement sync --json');
    assert.equal(jsonOf<PlacementSyncJson>('placement sync', again).changed, false);
    const { status: code, stderr } = await run(
      "unshare -m sh -c 'mount -t tmpfs none /sys/kernel/security; bulkhead placement sync'",
    );
    assert.equal(code, 1);
    assert.match(stderr, /it is unknown whether BPF is in force/);
    assert.equal((await status()).placement, 'on');
    await policy('');
  });
});

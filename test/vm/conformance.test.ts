/**
 * The suites of this machine's kernel again, inside a Debian guest with its unmodified kernel,
 * systemd and only cgroup v2; and tests that need such a guest: quotas, logins, the delegated unit.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { copyBundled, passBundled } from '../../testing/vm/bundled.ts';
import { startGuest, type Guest } from '../../testing/vm/guest.ts';
import { buildBesideSources } from '../../testing/vm/installed.ts';
import { prepareGuests } from '../../testing/vm/suite.ts';
import { eventually, longPatienceMilliseconds } from '../../testing/patience.ts';

const guests = await prepareGuests(import.meta.filename);

/**
 * A program that takes memory until the first cgroup has lost half of its page cache, and prints which part of it each
 * cgroup has left. The kernel rather kills it than anything else.
 */
const untilHalfIsGone = `
  open my $score, ">", "/proc/self/oom_score_adj" or die; print $score "1000"; close $score;
  sub cache {
    open my $stat, "<", "$_[0]/memory.stat" or die "$_[0]: $!";
    return (map { /^file (\\d+)$/ ? $1 : () } <$stat>)[0];
  }
  my %before = map { $_ => cache($_) } @ARGV;
  my ($size, @memory) = 4 << 20;
  while (cache($ARGV[0]) >= 0.49 * $before{$ARGV[0]}) { push @memory, "1" x $size }
  print join(" ", map { sprintf "%.3f", cache($_) / $before{$_} } @ARGV), "\\n";
`;

suite('conformance in the virtual machine', { skip: guests.skip }, () => {
  let guest: Guest;
  const bulkhead = (words: string) =>
    guest.run(`cd /opt/bulkhead && ./bulkhead ${words}`, { timeoutMs: longPatienceMilliseconds });
  const policy = (body: string) =>
    guest.succeed(`mkdir -p /etc/bulkhead && cat > /etc/bulkhead/policy.xml`, {
      input: `<bulkhead version="1">${body}</bulkhead>\n`,
    });

  before(
    async () => {
      guest = await startGuest(guests.image, 1);
      await guest.copyProject();
      await buildBesideSources(guest);
      await copyBundled(guest, ['test/conformance/killed-apply.ts', 'testing/demo/main.ts']);
    },
    { timeout: longPatienceMilliseconds },
  );
  after(() => guest[Symbol.asyncDispose]());

  const sums = ['io.total', 'io.operations'];
  const multiGenLru = '/sys/kernel/mm/lru_gen/enabled';
  for (const [driver, element, partial] of [
    ['systemd', '', [...sums, 'cpu.burst']],
    ['cgroup2', '<host driver="cgroup2"/>', sums],
  ] as const) {
    test(`doctor finds ${driver}, and partial support of ${partial.join(', ')}`, async () => {
      await policy(element);
      const { stdout } = await bulkhead('doctor --json');
      const found = JSON.parse(stdout) as {
        driver: string;
        limits: Record<string, { level: string }>;
      };
      assert.equal(found.driver, driver);
      const bits = await guest.succeed(`cat ${multiGenLru} || echo 0`);
      const usesMultiGenLru = (Number(bits) & 1) === 1;
      for (const [key, { level }] of Object.entries(found.limits)) {
        const isSpent = key === 'memory.guaranteed' && usesMultiGenLru;
        if (isSpent || partial.some((each) => each === key)) assert.equal(level, 'partial', key);
        else if (/^(cpu|memory|io|processes)\./.test(key)) assert.equal(level, 'full', key);
      }
    });
  }

  for (const file of [
    'test/conformance/kernel.test.ts',
    'test/conformance/kernel-apply.test.ts',
    'test/conformance/sites.test.ts',
    'test/cli/exec.test.ts',
    'test/cli/exec-accounts.test.ts',
    'test/cli/exec-launch-file.test.ts',
    'test/cli/exec-process.test.ts',
    'test/cli/exec-script.test.ts',
    'test/cli/exec-tenants.test.ts',
  ])
    test(`${file} passes`, { timeout: longPatienceMilliseconds }, () => passBundled(guest, file));
  // Signals end it alike on every kernel: one of them is enough here.
  test('test/conformance/demo.test.ts passes', { timeout: longPatienceMilliseconds }, () =>
    passBundled(guest, 'test/conformance/demo.test.ts', { without: 'SIGTERM|SIGHUP' }),
  );

  test(
    'apply limits disk space and files by quotas, and release lifts them',
    { timeout: longPatienceMilliseconds },
    async () => {
      await guest.succeed(
        `mkfs.ext4 -q -F -O quota -E quotatype=usrquota /dev/disk/by-id/virtio-data &&
       mount -o usrquota /dev/disk/by-id/virtio-data /home && useradd -m quinn`,
        { timeoutMs: longPatienceMilliseconds },
      );
      await policy('<tenant user="quinn"><disk space="2MiB" files="20"/></tenant>');
      const applied = await bulkhead('apply');
      assert.equal(applied.status, 0, applied.stderr);
      assert.equal((await bulkhead('verify')).status, 0);
      const wrote = await bulkhead(
        `exec quinn -- sh -c 'head -c 5000000 /dev/zero > big; wc -c < big'`,
      );
      assert.ok(Number(wrote.stdout) <= 2 * 2 ** 20, `it wrote ${wrote.stdout}`);
      assert.match(wrote.stderr, /quota/i);
      const files = await bulkhead(
        `exec quinn -- sh -c 'rm big; for i in $(seq 40); do : > f$i; done; ls | wc -l'`,
      );
      assert.ok(Number(files.stdout) <= 20, `it made ${files.stdout} files`);
      await guest.succeed('setquota -u quinn 0 9999 0 0 /home');
      const drifted = await bulkhead('verify');
      assert.equal(drifted.status, 3);
      assert.match(
        drifted.stdout,
        /quota on \/home is 9.*KiB, unlimited files, the policy requires 2MiB, 20 files/,
      );
      await policy('<tenant user="quinn"/>');
      assert.equal((await bulkhead('apply')).status, 0);
      assert.match(
        await guest.succeed('quota -u quinn --show-mntpoint -v -w -p || true'),
        /\s0\s+0\s/,
      );
      const again = await bulkhead('apply');
      assert.match(again.stdout, /Nothing to change/);
      assert.equal((await bulkhead('release')).status, 0);
      await guest.succeed('userdel -r quinn; umount /home');
    },
  );

  const [kept, bare, reseller, below] = [64_410, 64_411, 64_420, 64_421];
  const trees = '/sys/fs/cgroup/bulkhead-tenants.service';
  const slices = '/sys/fs/cgroup/user.slice';
  const guarantee = 96 * 2 ** 20;
  /** The memory that tenants and programs have between them. */
  const unreserved = 640 * 2 ** 20;
  for (const [driver, element, tenants, above] of [
    ['systemd', '', `${slices}/user-UID.slice`, { [slices]: guarantee, [trees]: guarantee }],
    ['cgroup2', '<host driver="cgroup2"/>', `${trees}/uUID`, { [trees]: 2 * guarantee }],
  ] as const) {
    test(
      `a tenant keeps its guaranteed memory under pressure, with the driver ${driver}`,
      { timeout: longPatienceMilliseconds },
      async () => {
        const succeed = (command: string) =>
          guest.succeed(command, { timeoutMs: longPatienceMilliseconds });
        const of = (uid: number) => tenants.replace('UID', String(uid));
        const cgroups = [of(bare), of(kept), `${trees}/r${reseller}/u${below}`];
        const apply = async (memory: string) => {
          await policy(
            `${element}<tenant uid="${kept}">${memory}</tenant><tenant uid="${bare}"/>
             <reseller uid="${reseller}"><tenant uid="${below}">${memory}</tenant></reseller>`,
          );
          const applied = await bulkhead('apply');
          assert.equal(applied.status, 0, applied.stdout + applied.stderr);
        };
        const isAsWanted = async () => {
          const verified = await bulkhead('verify');
          assert.equal(verified.status, 0, verified.stdout + verified.stderr);
        };
        const low = (paths: readonly string[]) =>
          succeed(`cd / && cat ${paths.map((each) => `${each}/memory.low`).join(' ')}`).then(
            (text) => text.trim().split('\n').map(Number),
          );

        await apply('');
        // A slice has a cgroup only while something runs in it.
        for (const uid of [kept, bare, below])
          await succeed(
            `cd /opt/bulkhead && setsid ./bulkhead exec ${uid} -- sleep infinity </dev/null >/dev/null 2>&1 &
             head -c 80M /dev/zero > /var/tmp/cached-${uid}`,
          );
        await eventually(
          'all tenants run something',
          async () =>
            (
              await succeed(
                `cat ${cgroups.map((each) => `${each}/memory.current`).join(' ')} || true`,
              )
            ).split('\n').length === 4,
        );
        const underPressure = async () => {
          await succeed('sync && echo 3 > /proc/sys/vm/drop_caches');
          for (const uid of [kept, bare, below])
            await succeed(
              `cd /opt/bulkhead && ./bulkhead exec ${uid} -- cat /var/tmp/cached-${uid} > /dev/null`,
            );
          const { stdout, stderr } = await guest.run(
            `perl -e '${untilHalfIsGone}' ${cgroups.join(' ')}`,
            { timeoutMs: longPatienceMilliseconds },
          );
          const [lost = NaN, ...others] = stdout.trim().split(' ').map(Number);
          console.log(`# left of the page cache: ${stdout.trim()} ${stderr}`);
          assert.ok(lost < 0.5, `${stdout}${stderr}`);
          assert.equal(others.length, 2);
          return others;
        };
        // Most memory is put aside, so that the rest is soon full.
        await succeed('sync && echo 3 > /proc/sys/vm/drop_caches');
        await succeed(
          `available=$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)
           echo $(((available - ${unreserved / 1024}) / 2048)) > /proc/sys/vm/nr_hugepages`,
        );
        // The multi-gen LRU does not keep guarantees, which "doctor" reports.
        const lru = await succeed(`cat ${multiGenLru} || true`);
        await succeed(`test ! -e ${multiGenLru} || echo n > ${multiGenLru}`);
        const { stdout } = await bulkhead('doctor --json');
        const { limits } = JSON.parse(stdout) as { limits: Record<string, { level: string }> };
        assert.equal(limits['memory.guaranteed']?.level, 'full');
        for (const left of await underPressure()) assert.ok(left < 0.8, `${left} was left without`);

        await apply('<memory guaranteed="96MiB"/>');
        await isAsWanted();
        assert.deepEqual(await low(cgroups), [0, guarantee, guarantee]);
        assert.deepEqual(await low(Object.keys(above)), Object.values(above));
        assert.deepEqual(await low([`${trees}/r${reseller}`]), [guarantee]);
        for (const left of await underPressure()) assert.ok(left > 0.9, `only ${left} was left`);

        // systemd must not take back what it has not set itself.
        await succeed(
          'systemctl daemon-reload && systemctl set-property --runtime system.slice CPUWeight=90',
        );
        await isAsWanted();

        await apply('');
        await isAsWanted();
        assert.deepEqual(
          await low([...cgroups, ...Object.keys(above)]),
          [...cgroups, ...Object.keys(above)].map(() => 0),
        );
        assert.equal(await succeed('ls -d /etc/systemd/system/user.slice.d || true'), '');
        if (lru !== '') await succeed(`echo ${lru.trim()} > ${multiGenLru}`);
        await succeed('echo 0 > /proc/sys/vm/nr_hugepages');
        await succeed(`rm /var/tmp/cached-*; pkill -KILL -U ${kept},${bare},${below}`);
        const released = await bulkhead('release --kill');
        assert.equal(released.status, 0, released.stderr);
      },
    );
  }

  const unit = 'bulkhead-tenants.service';
  const applyLimit = async (processes: number) => {
    await policy(
      `<host driver="cgroup2"/><tenant uid="64401"><processes limit="${processes}"/></tenant>`,
    );
    const applied = await bulkhead('apply');
    assert.equal(applied.status, 0, applied.stderr);
  };
  const isInForce = async (processes: number) => {
    assert.equal(await guest.succeed(`systemctl is-active ${unit}`), 'active\n');
    const limit = await guest.succeed(`cat /sys/fs/cgroup/${unit}/u64401/pids.max`);
    assert.equal(limit, `${processes}\n`);
  };
  const releaseAll = async () => {
    const released = await bulkhead('release');
    assert.equal(released.status, 0, released.stderr);
    const left = () =>
      guest.succeed(
        'ls -d /sys/fs/cgroup/bulkhead* /etc/systemd/system/bulkhead* /etc/systemd/system/*/bulkhead* 2>/dev/null || true',
      );
    // systemd removes the cgroup of a unit when the kernel has told it that nothing is left in it.
    await eventually('nothing is left', async () => (await left()) === '', left);
    assert.match(await guest.succeed(`systemctl show -p LoadState ${unit}`), /not-found/);
  };
  const timeout = longPatienceMilliseconds;

  test('limits of the delegated unit survive a daemon-reload', { timeout }, async () => {
    await applyLimit(33);
    await guest.succeed('systemctl daemon-reload && sleep 1');
    await guest.succeed('systemctl set-property --runtime system.slice CPUWeight=90');
    await isInForce(33);
    const verified = await bulkhead('verify');
    assert.equal(verified.status, 0, verified.stdout + verified.stderr);
    await releaseAll();
  });

  test(
    'the delegated unit has systemd read all files again only if needed',
    { timeout },
    async () => {
      const lastRead = () => guest.succeed('systemctl show -p UnitsLoadTimestampMonotonic');
      const before = await lastRead();
      await applyLimit(33);
      assert.equal(await guest.succeed(`systemctl is-enabled ${unit}`), 'enabled\n');
      // systemd does not know yet that its target wants the unit.
      await guest.succeed(`test -z "$(systemctl show -P WantedBy ${unit})"`);
      await guest.succeed('systemctl isolate multi-user.target');
      await isInForce(33);
      await releaseAll();
      await applyLimit(34);
      await isInForce(34);
      assert.equal(await lastRead(), before);

      await guest.succeed(`sed -i 's/^TasksMax=infinity/TasksMax=77/' /etc/systemd/system/${unit}`);
      await applyLimit(35);
      await isInForce(35);
      assert.equal(await guest.succeed(`systemctl show -P TasksMax ${unit}`), 'infinity\n');
      assert.equal(
        await guest.succeed(`systemctl show -P WantedBy ${unit}`),
        'multi-user.target\n',
      );
      assert.notEqual(await lastRead(), before);
      // The target wants the unit now, and systemd keeps a removed one until it reads all files again.
      await releaseAll();
      await applyLimit(36);
      await isInForce(36);
      await releaseAll();
    },
  );

  test(
    "limits are in force without systemd, in a cgroup tree of Bulkhead's own",
    { timeout: longPatienceMilliseconds },
    async () => {
      await policy('<tenant uid="64402"><processes limit="9"/><cpu limit="50%"/></tenant>');
      const { stdout } = await guest.run(
        `cd /opt/bulkhead && unshare --mount sh -ec '
        mount -t tmpfs none /run/systemd
        ./bulkhead --instance plain doctor | grep ^Driver
        ./bulkhead --instance plain apply
        ./bulkhead --instance plain verify
        cat /sys/fs/cgroup/plain/u64402/pids.max /sys/fs/cgroup/plain/u64402/cpu.max
        ./bulkhead --instance plain exec 64402 -- cat /proc/self/cgroup
        ./bulkhead --instance plain release
        test ! -e /sys/fs/cgroup/plain' 2>&1`,
        { timeoutMs: longPatienceMilliseconds },
      );
      assert.match(stdout, /no systemd owns the tree/);
      assert.match(stdout, /^9\n50000 100000$/m);
      assert.match(stdout, /^0::\/plain\/u64402$/m);
      assert.match(stdout, /are removed/);
    },
  );

  test(
    'doctor finds the disks of a partition, a stacked device and btrfs, and io limits hold',
    { timeout: longPatienceMilliseconds },
    async () => {
      const data = '/dev/disk/by-id/virtio-data';
      const disks = async () =>
        (JSON.parse((await bulkhead('doctor --json')).stdout) as { devices: string[] }).devices;
      const numbers = (path: string) =>
        guest.succeed(`lsblk -dno MAJ:MIN $(readlink -f ${path})`).then((text) => text.trim());
      const [system = '', ...others] = await disks();
      assert.deepEqual(others, []);
      const disk = await numbers(data);

      await guest.succeed(
        `echo ',,L' | sfdisk -q ${data} && udevadm settle && mkfs.ext4 -q -F ${data}-part1 && mount ${data}-part1 /mnt`,
      );
      assert.notEqual(await numbers(`${data}-part1`), disk);
      assert.deepEqual(await disks(), [system, disk].sort());
      await guest.succeed(
        `umount /mnt && wipefs -qaf ${data}-part1 ${data} && blockdev --rereadpt ${data}; udevadm settle`,
      );

      await guest.succeed(
        `echo "0 $(blockdev --getsz ${data}) linear ${data} 0" | dmsetup create stacked &&
       mkfs.ext4 -q -F /dev/mapper/stacked && mount /dev/mapper/stacked /mnt && install -d -o 64403 /mnt/own`,
        { timeoutMs: longPatienceMilliseconds },
      );
      const stacked = await numbers('/dev/mapper/stacked');
      assert.deepEqual(await disks(), [system, stacked].sort());
      await policy('<tenant uid="64403"><io write="1MiB/s"/></tenant>');
      assert.equal((await bulkhead('apply')).status, 0);
      const started = performance.now();
      await guest.succeed(
        'cd /opt/bulkhead && ./bulkhead exec 64403 -- dd if=/dev/zero of=/mnt/own/f oflag=direct bs=128k count=40',
        { timeoutMs: longPatienceMilliseconds },
      );
      assert.ok(performance.now() - started > 3500, '5 MiB were written faster than 1 MiB/s');
      await guest.succeed('umount /mnt && dmsetup remove stacked');

      await guest.succeed(`mkfs.btrfs -q -f ${data} && mount ${data} /mnt`);
      assert.deepEqual(await disks(), [system, disk].sort());
      await guest.succeed('umount /mnt');
      assert.equal((await bulkhead('release')).status, 0);
    },
  );
});

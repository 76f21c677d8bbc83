/**
 * The disk image. By UEFI it starts as it comes, and again by both firmwares with a newer kernel and a boot loader
 * that was installed anew; by BIOS cloud-init sets it up, so that a tenant is isolated, and `prove` shows it. BULKHEAD_IMAGE is
 * the qcow2 file to test, instead of a new one.
 */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { basename, join, resolve } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Proof } from '../../../src/prove/io/prove.ts';
import type { SetupStatusJson } from '../../../src/setup/commands/json.ts';
import { downloadKernel } from '../../../testing/oracle/other-kernels.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { ensurePrerequisites } from '../../../testing/prerequisites.ts';
import { logToStderr } from '../../../testing/progress.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { DiskGuest } from '../../../testing/vm/disk-guest.ts';
import { projectDirectory } from '../../../testing/vm/project.ts';

const ready = await ensurePrerequisites('image', logToStderr);
const skip = ready.ok ? false : ready.reason;
const timeout = longPatienceMilliseconds;
const directory = suiteDirectory('image');

/** Returns the path of the qcow2 file. */
function imageToTest(): string {
  const given = process.env['BULKHEAD_IMAGE'];
  if (given !== undefined) return resolve(given);
  const argv = [`${projectDirectory}/scripts/image.ts`, '--output', directory];
  const made = execFileSync(process.execPath, argv, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return made.split('\n').find((path) => path.endsWith('.qcow2'))!;
}

const image = skip === false ? imageToTest() : '';

/** Waits for cloud-init, and returns what its modules printed. Asking it for its status takes much of the processor. */
async function initialized(guest: DiskGuest): Promise<string> {
  await guest.succeed('until [ -e /run/cloud-init/result.json ]; do sleep 2; done');
  const printed = await guest.succeed('cat /var/log/cloud-init-output.log');
  const { stdout } = await guest.run('cloud-init status --long');
  assert.match(stdout, /^status: done$/m, stdout + printed);
  return printed;
}

suite('the image, started by UEFI', { skip, timeout }, () => {
  let guest: DiskGuest;
  before(async () => {
    guest = await DiskGuest.start(image, 'uefi', {});
    await initialized(guest);
  });
  after(() => guest?.[Symbol.asyncDispose]());
  const said = async (command: string) => (await guest.succeed(command)).trim();
  const isWell = async (firmware: string) => {
    await guest.succeed(
      'until systemctl is-system-running | grep -Eq "running|degraded"; do sleep 2; done',
    );
    assert.equal(await said('systemctl --failed --plain --no-legend'), '');
    assert.equal(await said('[ -d /sys/firmware/efi ] && echo uefi || echo bios'), firmware);
    assert.match(await said('quotaon -p / || true'), /^user quota on \/ .* is on$/m);
  };

  test('has what Bulkhead needs', async () => {
    await isWell('uefi');
    assert.match(await said('cat /sys/kernel/security/lsm'), /\bbpf\b/);
    assert.equal(await said('stat -fc %T /sys/fs/cgroup'), 'cgroup2fs');
    // The root has the size of the disk, which is larger than the image's.
    assert.ok(Number(await said('df --output=size -BG / | tr -dc 0-9')) >= 7);
    const units = 'nginx php8.4-fpm mariadb ssh cron unattended-upgrades';
    await guest.succeed(`for unit in ${units}; do systemctl is-active $unit || exit 1; done`);
    assert.match(await said('apt-config dump APT::Periodic::Unattended-Upgrade'), /"1"/);
  });

  test('has no secrets of the build, limits nothing, and says so', async () => {
    assert.equal(await said('ls /etc/ssh/ssh_host_*_key'), '/etc/ssh/ssh_host_ed25519_key');
    assert.equal(await said("awk -F: '$2 ~ /^[$]|^$/ { print $1 }' /etc/shadow"), '');
    assert.equal((await guest.run('systemctl is-enabled bulkhead')).stdout, 'disabled\n');
    assert.equal((await guest.run('systemctl is-active bulkhead')).stdout, 'inactive\n');
    assert.match(await said('run-parts /etc/update-motd.d'), /run "bulkhead setup"/);
  });

  test('starts by both firmwares with a newer kernel, and a boot loader that was installed anew', async () => {
    const meta = 'linux-image-cloud-amd64';
    const files = await downloadKernel(['trixie-backports'], [meta], join(directory, 'kernel'));
    await guest.succeed('mkdir /var/tmp/kernel');
    for (const file of files)
      await guest.succeed(`cat > '/var/tmp/kernel/${basename(file)}'`, { file });
    const first = await said('uname -r');
    await guest.succeed('apt-get install -y /var/tmp/kernel/*.deb');
    await guest.succeed('dpkg-reconfigure -f noninteractive grub-cloud-amd64');
    assert.match(await said('cat /boot/grub/grub.cfg'), /menuentry [^]*root=UUID=\S+ .*usrquota/);
    for (const firmware of ['uefi', 'bios'] as const) {
      const boot = await said('cat /proc/sys/kernel/random/boot_id');
      await guest.reboot(firmware);
      assert.notEqual(await said('cat /proc/sys/kernel/random/boot_id'), boot);
      assert.match(await said('cat /proc/cmdline'), /root=UUID=/);
      assert.notEqual(await said('uname -r'), first);
      assert.match(await said('cat /sys/kernel/security/lsm'), /\bbpf\b/);
      await isWell(firmware);
    }
  });
});

const answers = {
  version: 1,
  level: 'isolate',
  tenants: '3001-3099',
  jails: 'all',
  alerts: 'none',
};

suite('the image, started by BIOS and set up by cloud-init', { skip, timeout }, () => {
  let guest: DiskGuest;
  before(async () => {
    const path = '/etc/bulkhead/answers.json';
    guest = await DiskGuest.start(image, 'bios', {
      users: ['default', { name: 'alice', uid: 3001, shell: '/bin/sh' }],
      write_files: [{ path, permissions: '0600', content: JSON.stringify(answers) }],
      runcmd: [['bulkhead', 'setup', '--answers', path]],
    });
    logToStderr(await initialized(guest));
  });
  after(() => guest?.[Symbol.asyncDispose]());
  const said = async (command: string) => (await guest.succeed(command)).trim();
  const limitsHold = async () => {
    await guest.succeed('bulkhead verify');
    // systemd has the slice only while a program is in it.
    const inside = 'systemd-run --quiet --scope --slice=user-3001.slice';
    const slice = '/sys/fs/cgroup/user.slice/user-3001.slice';
    assert.match(await said(`${inside} cat ${slice}/pids.max`), /^\d+$/);
    assert.match(await said('repquota -u / | grep ^alice'), /\s1048576\s/);
  };

  test('has its limits in force, disk space too', async () => {
    await guest.succeed('bulkhead set alice disk.space=1GiB');
    await limitsHold();
    const status = await said('bulkhead setup status --json');
    const { level, slippedBack } = JSON.parse(status) as SetupStatusJson;
    assert.deepEqual([level, slippedBack], ['isolate', []]);
  });

  test('blocks what the policy demands', async () => {
    const { status, stdout, stderr } = await guest.run('bulkhead prove --json');
    assert.equal(status, 0, stdout + stderr);
    assert.deepEqual((JSON.parse(stdout) as Proof & { broken: unknown }).broken, []);
  });

  test('has its limits in force after a boot', async () => {
    await guest.reboot('bios');
    await guest.succeed('until systemctl is-active bulkhead; do sleep 2; done');
    await limitsHold();
    const shown =
      'systemctl show -p Id,ExecMainExitTimestampMonotonic,ActiveEnterTimestampMonotonic bulkhead-placement bulkhead';
    logToStderr(`Microseconds from the kernel's start:\n${await said(shown)}`);
  });
});

/**
 * Disk quotas by the agent in its systemd unit, started before there was a policy; and a tenant that
 * mounts FUSE over its own home with the real fusermount3, to lose its quota or to make the agent wait.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, suite, test } from 'node:test';
import { copyInstalled } from '../../../testing/vm/installed.ts';
import { longPatienceMilliseconds, patienceMilliseconds } from '../../../testing/patience.ts';
import { startGuest, type Guest } from '../../../testing/vm/guest.ts';
import { prepareGuests } from '../../../testing/vm/suite.ts';
import { jsonOf } from '../../../testing/json-output.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

const guests = await prepareGuests(import.meta.filename);

const disk = '/dev/disk/by-id/virtio-data';
const held = '<agent interval="2s"/><tenant user="quinn"><disk space="2MiB" files="20"/></tenant>';

suite('quotas and the sandboxed agent', { skip: guests.skip }, () => {
  let guest: Guest;
  const policy = (body: string) =>
    guest.succeed(
      'mkdir -p /etc/bulkhead && cat > /etc/bulkhead/policy.new && mv /etc/bulkhead/policy.new /etc/bulkhead/policy.xml',
      { input: `<bulkhead version="1">${body}</bulkhead>\n` },
    );
  const until = (what: string) =>
    guest.until(what, 'bulkhead status; journalctl -u bulkhead -n 30 --no-pager');
  /** Limits of space, in KiB, and of files, by the kernel's word. */
  const quota = (words: string) =>
    `test "$(repquota -u -O csv ${disk} | awk -F, '$1 == "quinn" { print $6, $10 }')" = "${words}"`;
  const inForce = `bulkhead status --json | grep -q '"state": *"in force"'`;
  const bulkhead = (words: string) =>
    guest.run(`bulkhead ${words}`, { timeoutMs: patienceMilliseconds });
  /** Returns the limits that the host can enforce, and on which disks. */
  const abilities = async () => {
    const { devices, limits } = JSON.parse((await bulkhead('doctor --json')).stdout) as Record<
      'devices' | 'limits',
      unknown
    >;
    return { devices, limits };
  };
  const mountOverHome = async (options = '') => {
    await guest.succeed(
      `setsid runuser -u quinn -- sh -c 'cd / && exec /usr/local/bin/fuse-mount /home/quinn ${disk} ${options}' > /tmp/fuse.out 2>&1 < /dev/null & `,
    );
    await until('grep -q mounted /tmp/fuse.out');
    assert.match(await guest.succeed('grep " /home/quinn " /proc/self/mountinfo'), /- fuse/);
  };
  const unmount = () =>
    guest.succeed(
      'pkill -x -KILL fuse-mount; umount -l /home/quinn; rm /tmp/fuse.out; ! grep " /home/quinn " /proc/self/mountinfo',
    );

  before(
    async () => {
      guest = await startGuest(guests.image, 1);
      await copyInstalled(guest);
      using directory = temporaryDirectory('fuse');
      const scratch = directory.path;
      const server = join(scratch, 'fuse-mount');
      const source = fileURLToPath(new URL('../../attacks/fuse-mount.c', import.meta.url));
      execFileSync('gcc', ['-static', '-O2', '-o', server, source]);
      await guest.succeed(
        'base64 -d > /usr/local/bin/fuse-mount; chmod 755 /usr/local/bin/fuse-mount',
        {
          input: readFileSync(server).toString('base64'),
        },
      );
      await guest.succeed(
        `modprobe fuse; echo user_allow_other > /etc/fuse.conf
         mkfs.ext4 -q -F -O quota -E quotatype=usrquota ${disk} &&
         mount -o usrquota ${disk} /home && useradd -m -s /bin/sh quinn &&
         rm -f /etc/bulkhead/policy.xml &&
         cp /opt/bulkhead/packaging/bulkhead.service /etc/systemd/system/ && systemctl daemon-reload`,
        { timeoutMs: patienceMilliseconds },
      );
      await guest.succeed('systemctl start bulkhead', { timeoutMs: patienceMilliseconds });
    },
    { timeout: longPatienceMilliseconds },
  );
  after(() => guest[Symbol.asyncDispose]());

  test(
    'the agent that was started without a policy applies the first one',
    { timeout: longPatienceMilliseconds },
    async () => {
      const ours = 'ls -d /etc/systemd/system/user-*.slice.d/90-bulkhead.conf 2>/dev/null || true';
      assert.equal(await guest.succeed(ours), '');
      await policy(held);
      await until(inForce);
      await until(quota('2048 20'));
      assert.match(await guest.succeed(ours), /^\S+\/90-bulkhead\.conf\n$/);
      assert.equal((await bulkhead('verify')).status, 0);
    },
  );

  test(
    'metrics have the disk usage that the quota counts, of a tenant without processes too',
    { timeout: longPatienceMilliseconds },
    async () => {
      await guest.succeed('cat > /usr/local/bin/page; chmod 755 /usr/local/bin/page', {
        input: String.raw`#!/usr/bin/perl
use IO::Socket::UNIX;
my $socket = IO::Socket::UNIX->new("/run/bulkhead/control.sock") or die $!;
print $socket "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n";
print <$socket>;
`,
      });
      const metric = (name: string) =>
        `page | awk '/^bulkhead_tenant_disk_${name}[{]tenant="quinn"/ { print $2 + 0 }'`;
      const used = (column: string) =>
        `repquota -u -O csv ${disk} | awk -F, '$1 == "quinn" { print ${column} }'`;
      assert.equal(await guest.succeed('pgrep -c -u quinn || true'), '0\n');
      await until(`test "$(${metric('files')})" = "$(${used('$8')})"`);
      await until(`test "$(${metric('space_bytes')})" = "$(${used('$4 * 1024')})"`);
      assert.notEqual((await guest.succeed(used('$8'))).trim(), '0');
    },
  );

  test(
    "a FUSE mount over a tenant's own home lifts no quota",
    { timeout: longPatienceMilliseconds },
    async () => {
      const before = await abilities();
      await mountOverHome();
      const applied = await bulkhead('apply');
      assert.match(applied.stdout, /Nothing to change/, applied.stderr);
      await guest.succeed('useradd -m -s /bin/sh passerby');
      await until(`journalctl -u bulkhead --no-pager | grep -q . && ${inForce}`);
      await guest.succeed(quota('2048 20'));
      assert.deepEqual(await abilities(), before);
      await unmount();
    },
  );

  test(
    'a FUSE mount that everybody may open blocks neither plan nor the agent',
    { timeout: longPatienceMilliseconds },
    async () => {
      await mountOverHome('allow_other');
      await policy(held.replace('2MiB', '3MiB'));
      await until(quota('3072 20'));
      assert.equal((await bulkhead('plan')).status, 0);
      await guest.succeed('systemctl restart bulkhead', { timeoutMs: patienceMilliseconds });
      await until(inForce);
      assert.equal((await bulkhead('verify')).status, 0);
      await guest.succeed(quota('3072 20'));
      await unmount();
    },
  );

  test(
    'apply fails and keeps quotas on record while their file system is not mounted',
    { timeout: longPatienceMilliseconds },
    async () => {
      await guest.succeed('systemctl stop bulkhead; umount /home');
      const applied = await bulkhead('apply');
      assert.equal(applied.status, 1);
      assert.match(applied.stderr, /Cannot find the file system with quotas that was at "\/home"/);
      await guest.succeed(`mount -o usrquota ${disk} /home`);
      await guest.succeed(quota('3072 20'));
      // A new disk has lines of its own in slices.
      const again = await bulkhead('apply');
      assert.equal(again.status, 0, again.stderr);
      await guest.succeed(quota('3072 20'));
      const verified = await bulkhead('verify');
      assert.equal(verified.status, 0, verified.stdout + verified.stderr);
      await policy('<tenant user="quinn"/>');
      assert.equal((await bulkhead('apply')).status, 0);
      await guest.succeed(quota('0 0'));
      assert.equal((await bulkhead('release')).status, 0);
      assert.equal(await guest.succeed('cat /var/lib/bulkhead/quotas'), '');
    },
  );

  test(
    'apply keeps foreign quotas, and restores them where the policy no longer has its own',
    { timeout: longPatienceMilliseconds },
    async () => {
      const applied = async (disk: string) => {
        await policy(`<tenant user="quinn">${disk}</tenant>`);
        const done = await bulkhead('apply');
        assert.equal(done.status, 0, done.stderr);
      };
      // repquota's columns: the soft and the hard limit of space, and of files.
      const all = (words: string) =>
        guest.succeed(
          `repquota -u -O csv ${disk} | awk -F, '$1 == "quinn" { print $5, $6, $9, $10 }' | tee /dev/stderr | grep -x "${words}"`,
        );
      await guest.succeed(`setquota -u quinn 4000 5000 40 50 ${disk}`);
      await applied('<disk files="20"/>');
      await all('4000 5000 0 20');
      // A panel changes its half meanwhile, and keeps it when the policy has none any more.
      await guest.succeed(`setquota -u quinn 6000 7000 0 20 ${disk}`);
      await applied('<disk files="20"/>');
      await all('6000 7000 0 20');
      await applied('');
      await all('6000 7000 40 50');
      await guest.succeed(`setquota -u quinn 4000 5000 40 50 ${disk}`);
      await applied('<disk files="20"/>');
      await all('4000 5000 0 20');
      await applied('<disk space="2MiB"/>');
      await all('0 2048 40 50');
      await applied('<disk space="unlimited" files="30"/>');
      await all('0 0 0 30');
      await applied('');
      await all('4000 5000 40 50');
      await applied('<disk space="2MiB" files="20"/>');
      await all('0 2048 0 20');
      assert.equal((await bulkhead('release')).status, 0);
      await all('4000 5000 40 50');
      assert.equal(await guest.succeed('cat /var/lib/bulkhead/quotas'), '');
    },
  );

  test(
    'release --all undoes what units enable and apply have done',
    { timeout: longPatienceMilliseconds },
    async () => {
      const must = async (words: string) => {
        const done = await bulkhead(words);
        assert.equal(done.status, 0, done.stdout + done.stderr);
        return done.stdout;
      };
      // Everything that a file or a mount can show, but for the policy and what systemd notes itself.
      const snapshot = () =>
        guest.succeed(
          `find /etc /sys/fs/bpf -path /etc/bulkhead -prune -o -type f -exec sha256sum {} + -o -type l -printf '%p %l\\n' | sort
           awk '{ print $5 }' /proc/self/mountinfo | sort; ls -d /run/bulkhead* /var/lib/bulkhead* 2>/dev/null
           systemctl list-unit-files --no-legend --no-pager 'bulkhead*'; ls /sys/fs/cgroup`,
          { timeoutMs: patienceMilliseconds },
        );
      await guest.succeed('systemctl stop bulkhead; rm -f /etc/systemd/system/bulkhead*');
      await guest.succeed('systemctl daemon-reload; rm -rf /run/bulkhead /var/lib/bulkhead');
      const before = await snapshot();
      await policy(
        '<agent interval="2s" listen="127.0.0.1:9640" token="/etc/bulkhead/token"/><tenant user="quinn"><processes limit="50"/></tenant>',
      );
      await guest.succeed('umask 077; head -c 32 /dev/urandom | base64 > /etc/bulkhead/token');
      jsonOf('units enable', await must('units enable --json'));
      await until(inForce);
      jsonOf('units status', await must('units status --json'));
      // The socket is had with the agent running.
      assert.match(
        await guest.succeed('systemctl is-active bulkhead.socket bulkhead'),
        /^active\nactive\n$/,
      );
      await must('harden enable --dry-run');
      assert.match(await must('release --all --dry-run'), /the agent and its units/);
      await must('release --all --yes --kill');
      assert.deepEqual(jsonOf('units disable', await must('units disable --json')), {
        removed: [],
      });
      assert.equal(await snapshot(), before);
      assert.match(await must('release --all --yes'), /There is nothing to undo/);
    },
  );
});

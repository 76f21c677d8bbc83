/**
 * A total of reads and writes on cgroup v2, against a tenant that does both at once and by turns, on
 * each kind of disk that a host may have: plain, LVM, dm-crypt, md and loop.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { longPatienceMilliseconds, patienceMilliseconds } from '../../../testing/patience.ts';
import { startGuest, type Guest } from '../../../testing/vm/guest.ts';
import { copyInstalled } from '../../../testing/vm/installed.ts';
import { prepareGuests } from '../../../testing/vm/suite.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';

const guests = await prepareGuests(import.meta.filename);

const uid = 64_501;
const total = 4 * 2 ** 20;
const tickSeconds = 2;
const attackSeconds = 6;
const disk = '/dev/vdb';

interface Kind {
  readonly name: string;
  /** Shell; ends by printing the device. */
  readonly make: string;
  readonly unmake: string;
}

const md = (level: number): Kind => ({
  name: `md, raid${level}`,
  make: `printf ',400M\\n,400M\\n' | sfdisk -q ${disk}; udevadm settle
    mdadm --create /dev/md0 --run --level=${level} --raid-devices=2 ${disk}1 ${disk}2 --assume-clean
    udevadm settle; echo /dev/md0`,
  unmake: `mdadm --stop /dev/md0; mdadm --zero-superblock ${disk}1 ${disk}2`,
});

const kinds: readonly Kind[] = [
  { name: 'a plain disk', make: `echo ${disk}`, unmake: 'true' },
  {
    name: 'LVM',
    make: `pvcreate -q -y ${disk}; vgcreate -q vg ${disk}; lvcreate -q -y -L 300M -n lv vg; echo /dev/vg/lv`,
    unmake: `vgremove -f -q vg; pvremove -q ${disk}`,
  },
  {
    name: 'dm-crypt',
    make: `printf secret | cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 ${disk} -
      printf secret | cryptsetup open ${disk} c -; echo /dev/mapper/c`,
    unmake: 'cryptsetup close c',
  },
  md(1),
  md(0),
  {
    name: 'a loop device',
    make: `mkfs.ext4 -q -F ${disk}; mkdir -p /mnt/l; mount ${disk} /mnt/l
      head -c 209715200 /dev/zero > /mnt/l/image; losetup -f --show /mnt/l/image`,
    unmake: 'losetup -D; umount /mnt/l',
  },
];

suite('io total in the virtual machine', { skip: guests.skip }, () => {
  const directory = suiteDirectory('io');
  let guest: Guest;
  const shell = (command: string) =>
    guest.succeed(`cd /opt/bulkhead && set -e; ${command}`, { timeoutMs: patienceMilliseconds });

  before(
    async () => {
      const attack = join(directory, 'io-alternate');
      const source = fileURLToPath(new URL('../../attacks/io-alternate.c', import.meta.url));
      execFileSync('gcc', ['-static', '-O2', '-o', attack, source]);
      guest = await startGuest(guests.image);
      await copyInstalled(guest);
      await guest.copyIn(attack, '/opt/io-alternate');
      await guest.succeed('chmod 755 /opt/io-alternate; mkdir -p /etc/bulkhead /srv/tenant');
      await guest.succeed('cat > /etc/bulkhead/policy.xml', {
        input: `<bulkhead version="1"><host driver="cgroup2"/><agent interval="${tickSeconds}s"/><tenant uid="${uid}"><io total="4MiB/s"/></tenant></bulkhead>\n`,
      });
    },
    { timeout: longPatienceMilliseconds },
  );
  after(() => guest[Symbol.asyncDispose]());

  const cgroup = `/sys/fs/cgroup/bulkhead-tenants.service/u${uid}`;

  for (const { name, make, unmake } of kinds) {
    test(`holds on ${name}`, { timeout: longPatienceMilliseconds }, async (context) => {
      const device = (await shell(`wipefs -aq ${disk}; ${make}`)).trim().split('\n').at(-1) ?? '';
      await shell(`mkfs.ext4 -q -F ${device}; mount ${device} /srv/tenant
        head -c 67108864 /dev/zero > /srv/tenant/file; chmod 666 /srv/tenant/file; sync`);
      await shell(`nohup ./bulkhead agent > /var/log/agent.log 2>&1 & echo $! > /run/agent-test.pid
        for i in $(seq 3000); do ./bulkhead verify > /dev/null 2>&1 && exit 0; sleep 0.2; done
        cat /var/log/agent.log >&2; exit 1`);
      for (const period of [0, tickSeconds * 1000]) {
        const said = await shell(`begin=$(date +%s%N)
          ./bulkhead exec ${uid} -- /opt/io-alternate /srv/tenant/file ${attackSeconds} ${period} 65536
          end=$(date +%s%N); echo $(((end - begin) / 1000000)); cat ${cgroup}/io.max`);
        const [read = 0, written = 0, milliseconds = 0] = said.split(/\s+/).map(Number);
        const share = (100 * (read + written)) / (total * attackSeconds);
        context.diagnostic(
          `v2, ${name}, ${period === 0 ? 'at once' : `turns of ${period} ms`}: ${share.toFixed(0)} % of the total; read ${read}, written ${written}`,
        );
        assert.ok(read > 0 && written > 0, said);
        // Half of what a tick allows may be ahead, and ticks are late in a guest that is slow.
        const seconds = milliseconds / 1000 + 2 * tickSeconds;
        assert.ok(read + written <= total * seconds, `${read} + ${written}: ${said}`);
      }
      await shell('./bulkhead verify');
      await shell(`kill $(cat /run/agent-test.pid)
        for i in $(seq 3000); do test -e /run/bulkhead/agent.lock || break; sleep 0.2; done
        ./bulkhead verify; ./bulkhead release; umount /srv/tenant; ${unmake}`);
    });
  }
});

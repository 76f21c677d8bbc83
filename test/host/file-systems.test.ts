/** The trusted facts of a mount: its device number and its type, never its stated source. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { disksUnder, readFileSystems } from '../../src/host/disks/file-systems.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

/** A disk of one partition, with numbers that no device file of this machine has. */
const disk = '4000:0';
const partition = '4000:1';

test('readFileSystems() skips mounts that only claim to be on a disk', () => {
  using directory = temporaryDirectory('mounts');
  const scratch = directory.path;
  const device = join(scratch, 'sys/devices/disk');
  mkdirSync(join(device, 'part'), { recursive: true });
  writeFileSync(join(device, 'dev'), `${disk}\n`);
  writeFileSync(join(device, 'part/partition'), '1\n');
  mkdirSync(join(scratch, 'sys/dev/block'), { recursive: true });
  symlinkSync(join(device, 'part'), join(scratch, `sys/dev/block/${partition}`));
  symlinkSync(device, join(scratch, `sys/dev/block/${disk}`));
  mkdirSync(join(scratch, 'proc/self'), { recursive: true });
  const mounts = [
    `20 1 ${partition} / / rw - ext4 /dev/part rw`,
    `21 20 0:50 / /home rw - tmpfs /dev/part rw`,
    `22 20 0:51 / /srv/alice rw - fuse /dev/part rw,user_id=1000`,
    `23 20 0:52 / /srv/bob rw - fuse.btrfs /dev/null rw,user_id=1001`,
    `24 20 ${disk} / /srv/carol rw - fuseblk /dev/disk rw,user_id=1002`,
    `25 20 0:53 / /srv/dan rw - btrfs /dev/null rw`,
  ];
  writeFileSync(join(scratch, 'proc/self/mountinfo'), `${mounts.join('\n')}\n`);
  const found = readFileSystems({
    ...pathsOf(),
    proc: join(scratch, 'proc'),
    sys: join(scratch, 'sys'),
  });
  assert.deepEqual(found.all, [
    { mountPoint: '/', type: 'ext4', devices: [disk], node: undefined, userQuota: false },
  ]);
  assert.deepEqual(disksUnder(found.all), [disk]);
  for (const directory of ['/srv/alice', '/srv/alice/www', '/srv/bob', '/srv/carol', '/srv']) {
    assert.equal(found.of(directory)?.mountPoint, '/', directory);
  }
  for (const directory of ['/home', '/home/eve', '/srv/dan']) {
    assert.equal(found.of(directory), undefined, directory);
  }
  assert.equal(found.of('/homes')?.mountPoint, '/');
});

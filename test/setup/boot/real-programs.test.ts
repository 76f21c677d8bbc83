/**
 * `setup boot` with the real update-grub and kernel-install. They run in a layer above this host, in a mount namespace
 * of their own, with the directories of the stage in place of /etc and /boot. grub-probe is played: the layer has no
 * disk.
 */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import {
  at,
  boot,
  read,
  stage,
  tree,
  undo,
  useHost,
  wantedLsm,
  wantedWords,
  withGrub,
  withSystemdBoot,
  write,
} from './stage.ts';

const scratch = suiteDirectory('setup-boot-programs');

/** `$1` is the stage, `$2` the scratch directory; the rest is the command. */
const layer = `set -e
stage=$1; scratch=$2; shift 2
mount -t tmpfs none /mnt
mkdir /mnt/up /mnt/work /mnt/all /mnt/more
if [ -d "$scratch/root" ]; then cp -a "$scratch/root/." /mnt/more; fi
mount -t overlay -o lowerdir=/mnt/more:/,upperdir=/mnt/up,workdir=/mnt/work none /mnt/all
for each in etc/default etc/kernel boot usr/lib/modules; do
  if [ -d "$stage/$each" ]; then
    mkdir -p "/mnt/all/$each"
    mount --bind "$stage/$each" "/mnt/all/$each"
  fi
done
mount -t tmpfs none /mnt/all/tmp
exec chroot /mnt/all env LC_ALL=C BOOT_ROOT=/boot/efi KERNEL_INSTALL_PLUGINS=/usr/lib/kernel/install.d/90-loaderentry.install "$@"`;

const inLayer = (...command: readonly string[]) =>
  spawnSync(
    'unshare',
    ['-m', '--propagation', 'private', 'sh', '-c', layer, 'sh', stage.root, scratch, ...command],
    { encoding: 'utf8' },
  );

function callInLayer(command: readonly string[]): string | undefined {
  const { status, stdout, stderr } = inLayer(...command);
  if (status !== 0) stage.calls.push(stderr);
  return status === 0 ? stdout : undefined;
}

const probe = `#!/bin/sh
for each; do case $each in
  --target=device) echo /dev/vda1; exit ;;
  --target=fs_uuid) echo 11111111-2222-3333-4444-555555555555; exit ;;
  --target=fs) echo ext2; exit ;;
  --target=partmap) echo msdos; exit ;;
  --target=partuuid) exit 1 ;;
  --target=*) exit ;;
esac; done
exit 1
`;

function fetchGrub(): string | false {
  const packages = ['grub-common', 'grub2-common'];
  const fetched = spawnSync('apt-get', ['-q', 'download', ...packages], { cwd: scratch });
  if (fetched.status !== 0) return `apt-get cannot download ${packages.join(' and ')}`;
  for (const each of readdirSync(scratch).filter((name) => name.endsWith('.deb')))
    assert.equal(spawnSync('dpkg-deb', ['-x', each, 'root'], { cwd: scratch }).status, 0);
  writeFileSync(join(scratch, 'root/usr/sbin/grub-probe'), probe, { mode: 0o755 });
  return false;
}

function whyNot(): string | false {
  if (process.getuid?.() !== 0) return 'only root can mount a layer above this host';
  stage.root = scratch;
  const { status, stderr } = inLayer('true');
  return status === 0 ? false : `no layer can be mounted above this host: ${stderr.trim()}`;
}

const skip = whyNot();

suite('setup boot with the real update-grub', { skip: skip === false ? fetchGrub() : skip }, () => {
  useHost();
  const prepare = () => {
    withGrub();
    stage.answer = callInLayer;
    write('etc/default/grub', 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX=""\n');
    write('boot/vmlinuz-6.12.1', 'kernel');
    write('boot/initrd.img-6.12.1', 'initrd');
    assert.notEqual(callInLayer(['update-grub']), undefined, stage.calls.join());
  };
  const lines = () =>
    [...read('boot/grub/grub.cfg').matchAll(/^\s*linux\s.*$/gm)].map(([line]) => line);

  test('normal entries get the words, recovery entries stay, and undo restores grub.cfg', async () => {
    prepare();
    const before = tree();
    const { status, errors } = await boot();
    assert.equal(status, 0, errors + stage.calls.join());
    const [recovery, normal] = [true, false].map((wanted) =>
      lines().filter((each) => each.includes(' single ') === wanted),
    );
    assert.ok(recovery?.length === 1 && normal?.length === 2, lines().join('\n'));
    for (const each of normal) assert.ok(each.endsWith(` quiet ${wantedLsm} psi=1`), each);
    assert.doesNotMatch(recovery[0] ?? '', /bpf/);
    assert.equal((await boot(undo)).status, 0);
    assert.deepEqual(tree(), before);
  });

  test('a later file that sets the variable anew is noticed, and nothing is done', async () => {
    prepare();
    write('etc/default/grub.d/99-mine.cfg', 'GRUB_CMDLINE_LINUX_DEFAULT="nosmt"\n');
    callInLayer(['update-grub']);
    const before = tree();
    assert.match((await boot()).errors, /update-grub has written no entry/);
    assert.deepEqual(tree(), before);
  });
});

suite(
  'setup boot with the real kernel-install',
  {
    skip:
      skip === false && !existsSync('/usr/lib/kernel/install.d/90-loaderentry.install')
        ? 'this host has no kernel-install'
        : skip,
  },
  () => {
    useHost();

    test('the entry of each kernel gets the words, and undo restores it', async () => {
      withSystemdBoot('root=/dev/vda1 ro\n');
      write('boot/efi/loader/entries.srel', 'type1\n');
      write('usr/lib/modules/6.12.1/vmlinuz', 'kernel');
      const install = ['kernel-install', 'add', '6.12.1', '/usr/lib/modules/6.12.1/vmlinuz'];
      assert.notEqual(callInLayer(install), undefined, stage.calls.join());
      stage.answer = callInLayer;
      const before = tree();
      const { status, errors } = await boot();
      assert.equal(status, 0, errors + stage.calls.join());
      const [entry = ''] = readdirSync(at('boot/efi/loader/entries'));
      const text = read(`boot/efi/loader/entries/${entry}`);
      assert.match(text, new RegExp(`^options +root=/dev/vda1 ro ${wantedWords.join(' ')}`, 'm'));
      assert.equal((await boot(undo)).status, 0);
      assert.deepEqual(tree(), before);
    });
  },
);

/**
 * The guest's disk under another Debian kernel than its own: `vmlinuz` and an initrd that contains the modules and puts
 * them into the disk at the first boot.
 *
 * `BULKHEAD_GUEST_KERNEL`, the Debian suite that has the kernel, makes all guests of a run start that way.
 */
import { chmod, copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { logToStderr } from '../progress.ts';
import { oldKernel, otherKernels, prepareOtherKernel } from './other-kernels.ts';
import type { OracleKernelFiles } from './kernel-files.ts';
import { succeed } from '../vm/command.ts';
import { removeDirectoryTree } from '../vm/directories.ts';

/** The drivers that are modules in one of the kernels, in an order in which they load. */
const drivers = [
  'virtio_ring',
  'virtio',
  'virtio_pci_legacy_dev',
  'virtio_pci_modern_dev',
  'virtio_pci',
  'virtio_blk',
  'crc16',
  'crc32c_generic',
  'mbcache',
  'jbd2',
  'ext4',
];

const init = (release: string) => `#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
for name in ${drivers.join(' ')}; do
  [ ! -e /drivers/$name.ko ] || $b insmod /drivers/$name.ko
done
tries=0
until [ -b /dev/vda ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 6000 ] || { echo 'initrd: no /dev/vda after a minute'; exit 1; }
  $b usleep 10000
done
$b mount -t ext4 /dev/vda /root || { echo 'initrd: cannot mount /dev/vda'; exit 1; }
modules=/root/usr/lib/modules/${release}
if [ ! -e $modules/modules.dep ]; then
  $b mkdir -p $modules
  $b cp -a /modules/. $modules/
  $b chroot /root /sbin/depmod -a ${release}
fi
$b mount --move /dev /root/dev
exec $b switch_root /root /sbin/init
`;

/** Returns the kernel that the environment requests; undefined if guests have their own kernel. */
export async function otherKernelWanted(): Promise<OracleKernelFiles | undefined> {
  const suite = process.env['BULKHEAD_GUEST_KERNEL'];
  if (suite === undefined) return undefined;
  const other = [...otherKernels, oldKernel].find(({ suites }) => suites[0] === suite);
  if (other === undefined) throw new Error(`There is no kernel "${suite}"`);
  const files = await prepareOtherKernel(other, logToStderr);
  if (!files.ok) throw new Error(files.error.reason);
  return files.value;
}

/** Writes `vmlinuz` and `initrd` into a directory. */
export async function makeBoot(kernel: OracleKernelFiles, into: string): Promise<void> {
  const tree = join(into, 'tree');
  for (const name of ['bin', 'dev', 'root', 'drivers'])
    await mkdir(join(tree, name), { recursive: true });
  await copyFile(kernel.image, join(into, 'vmlinuz'));
  await copyFile('/usr/bin/busybox', join(tree, 'bin/busybox'));
  await symlink(kernel.modules, join(tree, 'modules'));
  await writeFile(join(tree, 'init'), init(kernel.release));
  await chmod(join(tree, 'init'), 0o755);
  for (const name of drivers) await copyDriver(kernel, name, join(tree, 'drivers'));
  // The modules are a link to the tree, which is followed; they have links to the headers, which are not there.
  const script = `{ find . ! -name modules; find -H modules ! -type l; } | cpio --create --format=newc --quiet --dereference >../initrd`;
  await succeed('pack the initrd', ['sh', '-ec', script], { cwd: tree });
  await removeDirectoryTree(tree);
}

async function copyDriver(
  { modules }: OracleKernelFiles,
  name: string,
  into: string,
): Promise<void> {
  const [file] = globSync(`kernel/**/${name}.ko{,.xz}`, { cwd: modules });
  if (file === undefined) return;
  const to = join(into, `${name}.ko`);
  if (file.endsWith('.ko')) return copyFile(join(modules, file), to);
  const unpack = ['sh', '-ec', 'xz -dc "$1" >"$2"', 'sh', join(modules, file), to];
  await succeed(`unpack ${name}`, unpack);
}

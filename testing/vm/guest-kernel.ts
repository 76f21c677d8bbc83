/**
 * The guest's kernel: Debian's own cloud kernel, unmodified, and the smallest initrd that gets
 * its root disk mounted (ext4 is built into that kernel; virtio_blk is a module).
 */
import { chmod, copyFile, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { behindMetaPackage, unpackPackage, type AptPackage } from './apt.ts';
import { succeed } from './command.ts';

const metaPackage = 'linux-image-cloud-amd64';
const diskDriver = 'kernel/drivers/block/virtio_blk.ko.xz';

/** Returns the kernel that would be used now, or undefined when apt's lists have none. */
export const findKernel = (): Promise<AptPackage | undefined> => behindMetaPackage(metaPackage);

/** Writes `vmlinuz`, `initrd` and `modules/RELEASE/` into a directory. */
export async function fetchKernel(
  kernel: AptPackage,
  guestFiles: string,
  into: string,
): Promise<void> {
  const tree = join(into, 'kernel-package');
  await mkdir(tree);
  await unpackPackage(kernel, into, tree);
  const release = kernel.name.replace(/^linux-image-/, '');
  await copyFile(join(tree, 'boot', `vmlinuz-${release}`), join(into, 'vmlinuz'));
  await mkdir(join(into, 'modules'));
  const modules = join(into, 'modules', release);
  await succeed('move the modules', ['mv', await modulesIn(tree, release), modules]);
  await makeInitrd(join(modules, diskDriver), join(guestFiles, 'initrd-init'), into);
  await rm(tree, { recursive: true });
}

/** Finds the modules: packages made before and after Debian's merge of /lib and /usr/lib differ. */
async function modulesIn(tree: string, release: string): Promise<string> {
  const top = await readdir(tree);
  return join(tree, top.includes('lib') ? 'lib' : 'usr/lib', 'modules', release);
}

async function makeInitrd(driver: string, init: string, into: string): Promise<void> {
  const tree = join(into, 'initrd-tree');
  for (const directory of ['bin', 'dev', 'root'])
    await mkdir(join(tree, directory), { recursive: true });
  await copyFile('/usr/bin/busybox', join(tree, 'bin/busybox'));
  await copyFile(init, join(tree, 'init'));
  await chmod(join(tree, 'init'), 0o755);
  const unpack = ['sh', '-c', 'xz -dc "$1" >virtio_blk.ko', 'sh', driver];
  await succeed('unpack the disk driver', unpack, { cwd: tree });
  const pack = ['sh', '-c', 'find . | cpio --create --format=newc --quiet'];
  await succeed('pack the initrd', [...pack.slice(0, 2), `${pack[2]} >../initrd`], { cwd: tree });
  await rm(tree, { recursive: true });
}

/** Booting an image once and saving the running machine, so that guests start in a second. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { succeed } from './command.ts';
import { Control } from './control.ts';
import { makeRunDirectory } from './directories.ts';
import type { Disk, Processors } from './machine.ts';
import { Qemu } from './qemu.ts';
import { packedRoot } from './rootfs.ts';

const bootTimeoutMs = 180_000;
const saveTimeoutMs = 120_000;
const readyMark = 'guest-is-ready'; // written by guest-ready.service
const dataDiskSize = '2G';

const saved = (image: string, processors: Processors) => join(image, `${processors}-processors`);
const diskOf = (image: string, processors: Processors, name: string): Disk => ({
  file: join(saved(image, processors), name),
  format: 'raw',
});
export const rootDisk = (image: string, processors: Processors): Disk =>
  diskOf(image, processors, 'root.img');
export const dataDisk = (image: string, processors: Processors): Disk =>
  diskOf(image, processors, 'data.img');
export const savedState = (image: string, processors: Processors): string =>
  join(saved(image, processors), 'state');

/** Boots the image's `root.img` with so many processors, and keeps the disks and the state for them. */
export async function makeSnapshot(image: string, processors: Processors): Promise<void> {
  const root = rootDisk(image, processors);
  const data = dataDisk(image, processors);
  await mkdir(saved(image, processors));
  await succeed('copy the disk image', ['cp', '--sparse=always', packedRoot(image), root.file]);
  await succeed('make the data disk', ['truncate', '--size', dataDiskSize, data.file]);
  const { directory, remove } = await makeRunDirectory();
  try {
    await using qemu = new Qemu(directory, { image, processors, root, data });
    await qemu.connect();
    await waitUntilReady(qemu);
    await settle(qemu, image);
    await save(qemu, savedState(image, processors));
  } finally {
    remove();
  }
}

async function waitUntilReady(qemu: Qemu): Promise<void> {
  await qemu.within(bootTimeoutMs, 'boot', async () => {
    while (!(await qemu.console()).includes(readyMark)) {
      qemu.gone.throwIfAborted();
      await sleep(100);
    }
  });
}

/** Brings the guest to a state worth keeping: all units up, nothing dirty, memory empty. */
async function settle(qemu: Qemu, image: string): Promise<void> {
  const control = await Control.open(qemu.directory, image, await qemu.controlPort());
  const command =
    'systemctl is-system-running --wait || { systemctl --failed --no-legend; exit 1; }; ' +
    'sync; echo 3 >/proc/sys/vm/drop_caches';
  const options = { timeoutMs: bootTimeoutMs, signal: qemu.gone };
  const { status, stdout, stderr } = await control.run(command, options);
  if (status !== 0) throw await qemu.failure(`The guest has failed units: ${stdout}${stderr}`);
  await control.close();
  await sleep(300); // The guest's sshd gets to end its side of the connection.
}

async function save(qemu: Qemu, file: string): Promise<void> {
  await qemu.command('stop');
  await qemu.command('migrate-set-parameters', { 'max-bandwidth': 8 * 2 ** 30 });
  await qemu.command('migrate', { uri: `file:${file}` });
  const status = await qemu.waitFor('query-migrate', ['completed', 'failed'], saveTimeoutMs);
  if (status !== 'completed')
    throw await qemu.failure(`Cannot save the guest's state to "${file}"`);
}

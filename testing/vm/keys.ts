/** The keys of an image: the harness proves itself to the guest, and the guest to the harness. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from './command.ts';

export const controlKey = (image: string): string => join(image, 'control-key');
export const knownHosts = (image: string): string => join(image, 'known-hosts');

/** Makes the harness's key, and the guest's host key which customize.sh puts into the image. */
export async function makeKeys(directory: string): Promise<void> {
  const hostKey = join(directory, 'guest_control_key');
  for (const file of [controlKey(directory), hostKey]) {
    const argv = ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'bulkhead', '-f', file];
    await succeed('make a key', argv);
  }
  await writeFile(knownHosts(directory), `guest ${await readFile(`${hostKey}.pub`, 'utf8')}`);
}

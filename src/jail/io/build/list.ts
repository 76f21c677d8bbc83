/**
 * Lists the names in directories of a jail and of the host. None of them is in a home, where a tenant could place
 * links.
 */
import { closeSync, openSync, readdirSync } from 'node:fs';
import { enterNamespace } from '../../../sys/mount-calls.ts';
import type { JailPaths } from '../jail-paths.ts';
import type { BuildRequest, Listing } from './protocol.ts';
import type { Vault } from './vault.ts';

type ListRequest = Extract<BuildRequest, { kind: 'list' }>;

/** Lists them. Throws Node's errors. */
export function listDirectories(
  { key, directories }: ListRequest,
  vault: Vault,
  { inside }: JailPaths,
): readonly Listing[] {
  const host = directories.map(namesIn);
  vault.enter();
  const fd = openSync(`${inside}/ns/${key}`, 'r');
  try {
    enterNamespace(fd, 'mount');
    const jail = directories.map(namesIn);
    return directories.map((directory, index) => ({
      directory,
      host: host[index],
      jail: jail[index],
    }));
  } finally {
    closeSync(fd);
    vault.leave();
  }
}

function namesIn(directory: string): readonly string[] | undefined {
  try {
    return readdirSync(directory).sort();
  } catch {
    return undefined;
  }
}

/** Measures the resources that all jails use together. */
import { closeSync, openSync, readFileSync, statfsSync } from 'node:fs';
import { readText } from '../../../../packages/base/io/read.ts';
import { enterNamespace } from '../../../sys/mount-calls.ts';
import type { JailKey } from '../../core/jail-key.ts';
import type { JailPaths } from '../jail-paths.ts';
import type { Cost } from './protocol.ts';
import type { Vault } from './vault.ts';
import { Pins } from './pins.ts';

export function costOf(vault: Vault, paths: JailPaths): Cost {
  const hostMounts = linesOf(readText('/proc/thread-self/mountinfo')).filter((line) =>
    (line.split(' ')[4] ?? '').startsWith(paths.base),
  ).length;
  vault.enter();
  const { blocks, bfree, bsize } = statfsSync(paths.inside);
  const { keys } = new Pins(paths.inside);
  const mounts = new Map(keys.map((key) => [key, mountsIn(key, vault, paths)] as const));
  vault.leave();
  const max = Number(readText('/proc/sys/user/max_mnt_namespaces'));
  return {
    memoryBytes: (blocks - bfree) * bsize,
    hostMounts,
    mounts,
    namespacesMax: max > 0 ? max : undefined,
    namespaces: keys.length,
  };
}

/** Counts the mounts of a jail. Begins and ends in the vault. */
function mountsIn(key: JailKey, vault: Vault, { inside }: JailPaths): number {
  const fd = openSync(`${inside}/ns/${key}`, 'r');
  try {
    enterNamespace(fd, 'mount');
    return linesOf(readFileSync('/proc/thread-self/mountinfo', 'utf8')).length;
  } catch {
    return 0;
  } finally {
    closeSync(fd);
    vault.enter();
  }
}

const linesOf = (text: string | undefined) =>
  (text ?? '').split('\n').filter((line) => line !== '');

/**
 * The directories of the scratch tenants, on the file system of the real homes, whose quotas count:
 *
 *     /home/.bulkhead-prove             root's, entered by all, listed by nobody
 *       attacker neighbour control      homes, each its owner's alone
 *       attacker-site neighbour-site    web pages, which all may read
 *       meeting/shared                  sticky, as /tmp, but only attacker and neighbour can enter it
 *       hidden/inner                    readable, but for the directory around it
 *
 * Everything is made before any process of these uids runs, and removed when none runs any more. Nobody else can write
 * anywhere in it, so that no real tenant can put a link in the way of the removal.
 */
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { nearestMount, readMounts } from '../../sys/files/mounts.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { isRootsDirectory } from '../../../packages/base/io/pinned-directory.ts';
import type { Stage } from '../core/attack.ts';

/** Types of mounts that can make a process that opens them wait for ever. */
const remote = /^(?:fuse|nfs|cifs|smb|ceph|9p|autofs|lustre|gfs)/;
const accountHomesMax = 500;

export type StageFiles = Pick<Stage, 'homes' | 'sites' | 'shared' | 'hidden'>;

/** Returns a path in the directory of most tenants' homes, if only root can rename there. */
export function scratchRoot(paths: Paths, policy: Policy | undefined): string {
  const homes = accountHomesOf(paths, policy).map((home) => dirname(home));
  const counts = Map.groupBy([...homes, '/home'], (each) => each);
  const parents = [...counts].toSorted(([, a], [, b]) => b.length - a.length).map(([each]) => each);
  const parent = [...parents, '/var/lib'].find(isRootsDirectory) ?? '/var/lib';
  return join(parent, `.${paths.instance}-prove`);
}

/** Returns the homes that can be opened without waiting. */
export function accountHomesOf(paths: Paths, policy: Policy | undefined): readonly string[] {
  const mounts = readMounts(paths);
  const homes = (policy?.tenants ?? []).flatMap(({ account }) => account?.home ?? []);
  return [...new Set(homes)]
    .filter((home) => home !== '/' && !remote.test(nearestMount(home, mounts)?.type ?? ''))
    .slice(0, accountHomesMax);
}

export function makeFiles(root: string, uids: Stage['uids']): Result<StageFiles, Problem> {
  try {
    mkdirSync(root, { mode: 0o711 });
    chmodSync(root, 0o711);
    return ok(fill(root, uids));
  } catch (error) {
    return failed({ action: 'make the scratch directory', object: root, ...causeOf(error) });
  }
}

function fill(root: string, { attacker, neighbour, control }: Stage['uids']): StageFiles {
  const at = (name: string) => join(root, name);
  makeOwned(at('attacker'), attacker, 0o700);
  makeOwned(at('neighbour'), neighbour, 0o700, { secret: 'the neighbour\n' });
  makeOwned(at('control'), control, 0o700);
  makeOwned(at('attacker-site'), attacker, 0o755);
  makeOwned(at('neighbour-site'), neighbour, 0o755, { 'config.php': 'the password\n' });
  makeOwned(at('meeting'), attacker, 0o750, {}, neighbour);
  makeOwned(at('meeting/shared'), 0, 0o1777);
  makeOwned(at('hidden'), 0, 0o700);
  makeOwned(at('hidden/inner'), 0, 0o755, { secret: 'what only root enters\n' });
  return {
    homes: { attacker: at('attacker'), neighbour: at('neighbour'), control: at('control') },
    sites: { attacker: at('attacker-site'), neighbour: at('neighbour-site') },
    shared: at('meeting/shared'),
    hidden: at('hidden/inner'),
  };
}

/** Makes a directory with readable files; its mode decides who reaches them. */
function makeOwned(
  path: string,
  uid: number,
  mode: number,
  files: Readonly<Record<string, string>> = {},
  gid: number = uid,
): void {
  mkdirSync(path, { mode: 0o700 });
  for (const [name, text] of Object.entries(files)) {
    const file = join(path, name);
    writeFileSync(file, text, { flag: 'wx' });
    chmodSync(file, 0o644);
    chownSync(file, uid, uid);
  }
  chmodSync(path, mode);
  chownSync(path, uid, gid);
}

/** Removes only files that root made under this name; follows no link. */
export function removeScratchFiles(root: string): Result<void, Problem> {
  const cannot = { action: 'remove the scratch directory', object: root };
  const stat = lstatSync(root, { throwIfNoEntry: false });
  if (stat === undefined) return ok(undefined);
  if (!stat.isDirectory() || stat.uid !== 0)
    return failed({ ...cannot, reason: 'it is not a directory of root', hint: 'look at it' });
  try {
    rmSync(root, { recursive: true, force: true, maxRetries: 3 });
    return ok(undefined);
  } catch (error) {
    return failed({ ...cannot, ...causeOf(error) });
  }
}

/** Returns the bytes that are free for ordinary accounts. */
export function freeBytesOf(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

/** The facts behind the items that are not sysctls. */
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { nearestMount, readMounts, servedByProgram } from '../../sys/files/mounts.ts';
import { readSubordinateUids } from '../../host/accounts/subordinate-uids.ts';
import type { Paths } from '../../host/paths.ts';
import type { Account } from '../../policy/policy.ts';
import {
  closeEntry,
  Memory,
  openEntry,
  openFlags,
  statBytes,
  statEntry,
  statOf,
} from '../../sys/files/entries.ts';
import { readText } from '../../../packages/base/io/read.ts';
import type { HomeMode, HardenFacts } from '../core/host-items.ts';

const programDirectories = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin'];
const setIds = 0o6000;

export function readHardenFacts(people: readonly Account[], paths: Paths): HardenFacts {
  const { proc, sys } = paths;
  const mounts = readMounts(paths);
  const subordinate = new Set(
    readSubordinateUids(paths, new Set(people.map((each) => each.uid))).map(([, , uid]) => uid),
  );
  return {
    procOptions: mounts.findLast(
      ({ type, mountPoint }) => type === 'proc' && mountPoint === '/proc',
    )?.superOptions,
    hasLogind: existsSync('/run/systemd/seats'),
    hasPolkit: ['/usr/lib/polkit-1/polkitd', '/usr/libexec/polkitd'].some((each) =>
      existsSync(each),
    ),
    subordinate: people.filter(({ uid }) => subordinate.has(uid)).map(({ user }) => user),
    homes: homeModes(
      people,
      mounts.filter(({ type }) => servedByProgram.test(type)),
    ),
    setuidHomes: [
      ...new Set(
        people.flatMap(({ home }) => {
          const mount = nearestMount(home, mounts);
          return mount === undefined || mount.noSetuid ? [] : [mount.mountPoint];
        }),
      ),
    ],
    signatures: readText(`${sys}/module/module/parameters/sig_enforce`),
    modulesDisabled: readText(`${proc}/sys/kernel/modules_disabled`),
    lockdown: readText(`${sys}/kernel/security/lockdown`),
    setIdPrograms: programDirectories.flatMap(setIdIn),
  };
}

/** Reads the modes of homes; asks nothing of a file system that a program serves. */
function homeModes(
  people: readonly Account[],
  served: ReturnType<typeof readMounts>,
): readonly HomeMode[] {
  const stat = new Memory(statBytes);
  const name = new Memory(4096);
  const flags = openFlags.path | openFlags.directory | openFlags.noFollow;
  return people.flatMap(({ user, home }): HomeMode[] => {
    if (nearestMount(home, served) !== undefined || home.length > 1000) return [];
    const fd = openEntry(-100, name.write(Buffer.from(home).toString('latin1')), flags);
    if (fd < 0) return [];
    name.bytes[0] = 0;
    const failed = statEntry(fd, name.address, stat) < 0;
    closeEntry(fd);
    return failed ? [] : [{ user, path: home, permissions: statOf.permissions(stat) }];
  });
}

function setIdIn(directory: string): readonly string[] {
  // A link to another of these directories, as on merged systems.
  if (lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return readdirSync(directory).flatMap((name) => {
    const stat = lstatSync(`${directory}/${name}`, { throwIfNoEntry: false });
    return stat?.isFile() === true && (stat.mode & setIds) !== 0 ? [name] : [];
  });
}

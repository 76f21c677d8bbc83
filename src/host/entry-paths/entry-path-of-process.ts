/**
 * Finds the entry path of a tenant's process from what started it. The tenant's own processes prove nothing, since they
 * can have any name. Only other users' processes, the cgroup that it was started in, and the session that
 * systemd-logind opened for it count.
 *
 *     0::/system.slice/cron.service                       cron
 *     1:name=systemd:/user.slice/user-1001.slice/session-3.scope
 *     SERVICE=sshd                                        in /run/systemd/sessions/3
 */
import { readText } from '../../../packages/base/io/read.ts';
import { statusValue } from '../../sys/processes/process-status.ts';
import { entryPaths, type EntryPathName } from './entry-paths.ts';

/** Deeper than a shell in a shell in a session. */
const ancestorsMax = 64;

export interface ProcessPaths {
  readonly proc: string;
  /** `/run/systemd/sessions`. */
  readonly sessions: string;
}

export const processPaths: ProcessPaths = { proc: '/proc', sessions: '/run/systemd/sessions' };

type Find = (pid: number) => EntryPathName | undefined;

/** Returns undefined if the process is gone, or if nothing shows its entry path. */
export const entryPathOfProcess = (
  { pid, uid }: { readonly pid: number; readonly uid: number },
  paths = processPaths,
): EntryPathName | undefined => findEntryPaths(uid, paths)(pid);

/**
 * Returns what finds the entry path of one process of an account after another, at one moment. Their ancestors are read
 * once: a tenant can start each of its processes from the one before.
 */
export function findEntryPaths(uid: number, paths = processPaths): Find {
  const known = new Map<number, Ancestor | undefined>();
  const ancestorAt = (pid: number) => {
    if (!known.has(pid)) known.set(pid, readAncestor(pid, uid, paths));
    return known.get(pid);
  };
  return (pid) => {
    const cgroups = cgroupsOf(readText(`${paths.proc}/${pid}/cgroup`) ?? '');
    return bySession(cgroups, uid, paths) ?? byUnit(cgroups) ?? byAncestors(pid, ancestorAt);
  };
}

/** Returns the path in each hierarchy, which may contain colons; the kernel permits no newline in it. */
const cgroupsOf = (text: string): readonly string[] =>
  text.split('\n').map((line) => line.split(':').slice(2).join(':'));

/** Returns the entry path by session. A session of another user belongs to whoever called su. */
function bySession(
  cgroups: readonly string[],
  uid: number,
  { sessions }: ProcessPaths,
): EntryPathName | undefined {
  const scope = new RegExp(`^/user\\.slice/user-${uid}\\.slice/session-(\\w+)\\.scope`);
  const session = firstMatch(scope, cgroups);
  if (session === undefined) return undefined;
  const service = /^SERVICE=(.*)$/m.exec(readText(`${sessions}/${session}`) ?? '')?.[1];
  return entryPaths.find((each) => each.sessions.includes(service ?? ''))?.name;
}

/** Matches from the root of the tree: below its user manager, a tenant can make cgroups of any name. */
const serviceCgroup = /^\/system\.slice\/(?:[^/\n]+\.slice\/)*([\w.-]+?)(?:@[^/\n]*)?\.service/;

const firstMatch = (pattern: RegExp, texts: readonly string[]): string | undefined =>
  texts.map((text) => pattern.exec(text)?.[1]).find((each) => each !== undefined);

function byUnit(cgroups: readonly string[]): EntryPathName | undefined {
  const unit = firstMatch(serviceCgroup, cgroups);
  return unit === undefined ? undefined : entryPaths.find(({ units }) => units?.test(unit))?.name;
}

interface Ancestor {
  /** Undefined for the tenant's own process. */
  readonly entryPath: EntryPathName | undefined;
  readonly parent: number;
}

function readAncestor(pid: number, uid: number, { proc }: ProcessPaths): Ancestor | undefined {
  const status = readText(`${proc}/${pid}/status`);
  if (status === undefined) return undefined;
  const own = statusValue(status, 'Uid')?.split('\t').includes(String(uid)) === true;
  return {
    entryPath: own ? undefined : byName(statusValue(status, 'Name') ?? ''),
    parent: Number(statusValue(status, 'PPid') ?? 0),
  };
}

function byAncestors(
  pid: number,
  ancestorAt: (pid: number) => Ancestor | undefined,
): EntryPathName | undefined {
  let next = pid;
  for (let depth = 0; depth < ancestorsMax && next > 1; depth++) {
    const ancestor = ancestorAt(next);
    if (ancestor === undefined || ancestor.entryPath !== undefined) return ancestor?.entryPath;
    next = ancestor.parent;
  }
  return undefined;
}

const byName = (name: string): EntryPathName | undefined =>
  entryPaths.find(({ daemons }) => daemons.test(name))?.name;

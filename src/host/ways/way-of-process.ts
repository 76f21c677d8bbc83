/**
 * By which way a process of a tenant came, from what started it. What the tenant itself runs says nothing, since it
 * can have any name: only processes of others, the cgroup that it was started in, and the session that systemd-logind
 * opened for it count.
 *
 *     0::/system.slice/cron.service                       cron
 *     1:name=systemd:/user.slice/user-1001.slice/session-3.scope
 *     SERVICE=sshd                                        in /run/systemd/sessions/3
 */
import { readText } from '../../sys/files/read.ts';
import { statusValue } from '../../sys/processes/process-status.ts';
import { waysIn, type WayName } from './ways-in.ts';

/** Deeper than a shell in a shell in a session. */
const ancestorsMax = 64;

export interface ProcessPaths {
  readonly proc: string;
  /** `/run/systemd/sessions`. */
  readonly sessions: string;
}

export const processPaths: ProcessPaths = { proc: '/proc', sessions: '/run/systemd/sessions' };

/** Absent if it is gone, or if nothing tells. */
export function wayOfProcess(
  { pid, uid }: { readonly pid: number; readonly uid: number },
  paths = processPaths,
): WayName | undefined {
  const cgroups = cgroupsOf(readText(`${paths.proc}/${pid}/cgroup`) ?? '');
  return bySession(cgroups, uid, paths) ?? byUnit(cgroups) ?? byAncestors(pid, uid, paths);
}

/** The path in each hierarchy, which may have colons of its own; the kernel permits no newline in it. */
const cgroupsOf = (text: string): readonly string[] =>
  text.split('\n').map((line) => line.split(':').slice(2).join(':'));

/** A session of somebody else is that of who called su. */
function bySession(
  cgroups: readonly string[],
  uid: number,
  { sessions }: ProcessPaths,
): WayName | undefined {
  const scope = new RegExp(`^/user\\.slice/user-${uid}\\.slice/session-(\\w+)\\.scope`);
  const session = firstMatch(scope, cgroups);
  if (session === undefined) return undefined;
  const service = /^SERVICE=(.*)$/m.exec(readText(`${sessions}/${session}`) ?? '')?.[1];
  return waysIn.find((each) => each.sessions.includes(service ?? ''))?.name;
}

/** From the root of the tree: below the user manager of a tenant it can make cgroups of any name. */
const serviceCgroup = /^\/system\.slice\/(?:[^/\n]+\.slice\/)*([\w.-]+?)(?:@[^/\n]*)?\.service/;

const firstMatch = (pattern: RegExp, texts: readonly string[]): string | undefined =>
  texts.map((text) => pattern.exec(text)?.[1]).find((each) => each !== undefined);

function byUnit(cgroups: readonly string[]): WayName | undefined {
  const unit = firstMatch(serviceCgroup, cgroups);
  return unit === undefined ? undefined : waysIn.find(({ units }) => units?.test(unit))?.name;
}

function byAncestors(pid: number, uid: number, { proc }: ProcessPaths): WayName | undefined {
  let next = pid;
  for (let depth = 0; depth < ancestorsMax && next > 1; depth++) {
    const status = readText(`${proc}/${next}/status`);
    if (status === undefined) return undefined;
    const own = statusValue(status, 'Uid')?.split('\t').includes(String(uid)) === true;
    const way = own ? undefined : byName(statusValue(status, 'Name') ?? '');
    if (way !== undefined) return way;
    next = Number(statusValue(status, 'PPid') ?? 0);
  }
  return undefined;
}

const byName = (name: string): WayName | undefined =>
  waysIn.find(({ daemons }) => daemons.test(name))?.name;

/** The front gives up root for an account of its own before it reads the first byte of a visitor. */
import { readdirSync } from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { readText } from '../../../packages/base/io/read.ts';
import type { Paths } from '../../host/paths.ts';
import { findFrontAccount } from './account.ts';

/** Becomes `user` if this process is root. Then no thread of it may have any right of root, or it must not go on. */
export function dropRights({ etc, proc }: Paths, user: string): Result<void, Problem> {
  const refuse = (reason: string, hint?: string) =>
    failed({ action: 'give up the rights of root', reason, ...(hint !== undefined && { hint }) });
  if (process.getuid?.() === 0 || process.geteuid?.() === 0) {
    const account = findFrontAccount({ etc }, user);
    if (account === undefined)
      return refuse(`there is no account "${user}"`, `make it: useradd --system ${user}`);
    try {
      process.setgroups?.([]);
      process.setgid?.(account.gid);
      process.setuid?.(account.uid);
    } catch (error) {
      return failed({ action: 'become', object: user, ...causeOf(error) });
    }
  }
  const kept = keptRight(proc);
  return kept === undefined ? ok(undefined) : refuse(kept);
}

/** Returns what a thread of this process still has of root; undefined if nothing. Source: proc_pid_status(5). */
function keptRight(proc: string): string | undefined {
  const tasks = `${proc}/self/task`;
  for (const thread of readdirSync(tasks)) {
    const status = readText(`${tasks}/${thread}/status`);
    // A thread that has ended meanwhile has no rights.
    if (status === undefined) continue;
    const [, uids = '0'] = /^Uid:\s+(.*)$/m.exec(status) ?? [];
    if (uids.split(/\s+/).includes('0')) return 'a thread is still root';
    for (const set of ['CapPrm', 'CapEff', 'CapAmb'])
      if (!new RegExp(`^${set}:\\s+0+$`, 'm').test(status))
        return `a thread still has capabilities (${set})`;
  }
  return undefined;
}

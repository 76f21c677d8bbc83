/** The names of the policy's rule → uids and gids. A directory service is asked for its accounts and groups by name. */
import { execFileSync } from 'node:child_process';
import { readHostFacts } from '../../../host/accounts/accounts.ts';
import { parseGroups, readGroups } from '../../../host/accounts/groups.ts';
import type { Paths } from '../../../host/paths.ts';
import { listSome } from '../../../../packages/base/list.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { SymlinkRule } from '../../../policy/document.ts';
import {
  entriesMax,
  type GuardMode,
  type GuardRule,
  type GuardSubject,
} from '../../core/guard/rule.ts';

type Ids = ReadonlyMap<string, number>;

export function resolveRule(
  rule: SymlinkRule,
  mode: GuardMode,
  paths: Paths,
): Result<GuardRule, Problem> {
  const named = [...rule.by, ...rule.trust, ...rule.targets];
  const users = new Map(
    readHostFacts(paths, named).accounts.map(({ user, uid }) => [user, uid] as const),
  );
  const groups = groupIds(rule.by, paths);
  const unknown = [
    ...rule.by.filter((name) => !users.has(name) && !groups.has(name)),
    ...[...rule.trust, ...rule.targets].filter((name) => !users.has(name)),
  ];
  const subjects = rule.by.flatMap((name) => subjectsOf(name, users, groups));
  const problem = problemOf(unknown, subjects);
  if (problem !== undefined) return failed({ action: 'set up the symlink guard', ...problem });
  const uidsOf = (names: readonly string[]) => [...new Set(names.map((name) => users.get(name)))];
  const known = (uids: readonly (number | undefined)[]) => uids.filter((uid) => uid !== undefined);
  return ok({
    mode,
    subjects,
    trusted: known(uidsOf(rule.trust)),
    targets: known(uidsOf(rule.targets)),
  });
}

function problemOf(
  unknown: readonly string[],
  subjects: readonly GuardSubject[],
): Omit<Problem, 'action'> | undefined {
  if (unknown.length > 0)
    return {
      reason: `no account or group has the name ${listSome(unknown, 5)}`,
      hint: 'correct <symlinks> of the policy, or make the account first',
    };
  if (subjects.some(({ id }) => id === 0))
    return {
      reason: 'by names a user or group with the number 0, which is root',
      hint: 'name what the web servers run as, such as www-data',
    };
  if (subjects.length > entriesMax) return { reason: `by names more than ${entriesMax}` };
  return undefined;
}

function subjectsOf(name: string, users: Ids, groups: Ids): readonly GuardSubject[] {
  const [uid, gid] = [users.get(name), groups.get(name)];
  return [
    ...(gid === undefined ? [] : [{ kind: 'group', id: gid } as const]),
    ...(uid === undefined ? [] : [{ kind: 'user', id: uid } as const]),
  ];
}

function groupIds(names: readonly string[], paths: Paths): Ids {
  const here = readGroups(paths);
  const unknown = names.filter((name) => !here.has(name));
  return unknown.length === 0 ? here : new Map([...here, ...askDirectory(unknown)]);
}

function askDirectory(names: readonly string[]): Ids {
  try {
    // Status 2 means that one of the names is unknown; the others are printed anyway.
    const text = execFileSync('getent', ['group', '--', ...names], {
      encoding: 'utf8',
      timeout: 10_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return parseGroups(text);
  } catch (error) {
    return parseGroups((error as { stdout?: string }).stdout ?? '');
  }
}

/** The database share as part of a policy: what is undone when limits go. */
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { databaseLimits } from '../core/database-limits.ts';
import { restoreNumbers } from './enable.ts';
import { leftoversPolicy } from './hold/leftovers.ts';
import { connectForRoot } from './open-server.ts';
import { lockDatabases, readNumbers } from './record-file.ts';

const replyMilliseconds = 10_000;

export const databasePolicy = {
  apply: leftoversPolicy.apply,
  plan: (policy: Policy, paths: Paths): readonly string[] => {
    const numbers = readNumbers(paths);
    const isLeft = numbers.ok && numbers.value.length > 0 && !hasNumbers(policy);
    const line = 'set the numbers of connections of accounts in database servers back';
    return [...leftoversPolicy.plan(policy, paths), ...(isLeft ? [line] : [])];
  },
  /** While any tenant has a number, the agent also sets the other tenants' numbers back. */
  follow: (policy: Policy, paths: Paths): Promise<readonly Problem[]> =>
    hasNumbers(policy) ? Promise.resolve([]) : setBack(paths),
  release: async (paths: Paths): Promise<readonly Problem[]> => [
    ...(await leftoversPolicy.release(paths)),
    ...(await setBack(paths)),
  ],
};

const hasNumbers = (policy: Policy): boolean =>
  [...databaseLimits(policy).values()].some(({ connections }) => connections !== undefined);

/** Sets the numbers of all accounts back, as root. Goes on after a server that does not answer; its record stays. */
async function setBack(paths: Paths): Promise<readonly Problem[]> {
  const before = readNumbers(paths);
  if (!before.ok) return [before.error];
  if (before.value.length === 0) return [];
  const lock = lockDatabases(paths);
  if (!lock.ok) return [lock.error];
  using _lock = lock.value;
  const problems: Problem[] = [];
  for (const socket of new Set(before.value.map((each) => each.socket))) {
    const connection = await connectForRoot(socket, { user: 'root' }, { replyMilliseconds });
    const done = connection.ok
      ? await restoreNumbers({ paths, socket, connection: connection.value })
      : connection;
    if (connection.ok) connection.value.close();
    if (!done.ok)
      problems.push({
        action: 'set the numbers of connections back in the server at',
        object: socket,
        reason: formatProblem(done.error),
        hint: 'run "bulkhead db disable --login FILE" if root needs a password there',
      });
  }
  return problems;
}

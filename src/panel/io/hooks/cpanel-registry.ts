/** The registry of cPanel's standardized hooks, which its own program changes. */
import { existsSync } from 'node:fs';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { runScript } from '../run-script.ts';

const bounds = { timeoutSeconds: 60, bytesMax: 4 * 2 ** 20 };

const manager = '/usr/local/cpanel/bin/manage_hooks';

export const registeredEvents = [
  'Accounts::Create',
  'Accounts::Modify',
  'Accounts::Remove',
  'Accounts::change_package',
] as const;

export const hasRegistry = (root: string): boolean => existsSync(root + manager);

async function manage(root: string, args: readonly string[]): Promise<Result<string, Problem>> {
  const ran = await runScript([root + manager, ...args], bounds);
  return ran.ok
    ? ran
    : failed({ action: 'run', object: `${root}${manager} ${args[0]}`, ...ran.error });
}

/** Returns how often the program is registered. */
export async function registeredCount(
  root: string,
  program: string,
): Promise<Result<number, Problem>> {
  const listed = await manage(root, ['list']);
  return listed.ok ? ok(listed.value.split(program).length - 1) : listed;
}

/** Registers the program for each event, or takes it out for all of them. */
export async function changeRegistry(
  root: string,
  program: string,
  action: 'add' | 'delete',
): Promise<Result<void, Problem>> {
  for (const event of registeredEvents) {
    const words = ['--category', 'Whostmgr', '--event', event, '--stage', 'post'];
    const done = await manage(root, [action, 'script', program, '--manual', ...words]);
    // An event that is not registered cannot be removed; the list decides in the end.
    if (!done.ok && action === 'add') return done;
  }
  const count = await registeredCount(root, program);
  if (!count.ok) return count;
  if (count.value > 0 === (action === 'add')) return ok(undefined);
  return failed({
    action: `${action === 'add' ? 'register' : 'remove'} the hooks of cPanel`,
    reason:
      action === 'add'
        ? '"manage_hooks list" has none of them'
        : `"manage_hooks list" still has ${count.value} of them`,
    hint: `run: ${manager} list`,
  });
}

/** The common part of `bulkhead app enable` and `disable`. */
import type { Command } from 'commander';
import type { Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { printable } from '../../../packages/base/printable.ts';
import { exitCodes, type ExitCode, type PolicyOptions } from '../../cli/shared/command.ts';
import { failWith, print, printError } from '../../cli/shared/session.ts';
import { underLock } from '../../sys/files/under-lock.ts';
import { withDisabled } from '../core/disabled.ts';
import { readDisabled, writeDisabled } from '../io/disabled-file.ts';
import { reconcileApps } from '../io/reconcile.ts';
import { appSubject, fullName, type AppSubject } from './subject.ts';

export const changing =
  (isDisabled: boolean) =>
  async (name: string, options: PolicyOptions, command: Command): Promise<ExitCode> => {
    const subject = await appSubject(name, options, command, 'systemd');
    if (typeof subject === 'number') return subject;
    const written = record(subject, isDisabled);
    if (!written.ok) return failWith(written.error);
    const { policy, paths, app } = subject;
    const problems = await reconcileApps(policy, paths, { only: app.id });
    for (const problem of problems) printError(problem);
    if (problems.length > 0) return exitCodes.failed;
    const shown = printable(fullName(app));
    print(
      isDisabled
        ? `${shown} is disabled; its socket is closed. It stays so until: bulkhead app enable ${shown}`
        : `${shown} is enabled`,
    );
    return exitCodes.done;
  };

function record({ app, layout }: AppSubject, isDisabled: boolean): Result<void, Problem> {
  return underLock(layout.lock, () => {
    const keys = readDisabled(layout.disabled);
    if (!keys.ok) return keys;
    return writeDisabled(layout.disabled, withDisabled(keys.value, app.id, isDisabled));
  });
}

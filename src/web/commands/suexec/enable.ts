/** `bulkhead web suexec enable`: has Apache call bulkhead-suexec, which calls the distribution's suexec. */
import type { Command } from 'commander';
import type { Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, pathsFor, print } from '../../../cli/shared/session.ts';
import type { Paths } from '../../../host/paths.ts';
import { underLockAsync } from '../../../sys/files/under-lock.ts';
import { findWebPrograms } from '../../io/find-programs.ts';
import { enableSuexec, suexecLock } from '../../io/suexec/change-suexec.ts';
import { stateText } from './status.ts';

/** Debian's account for web servers, unless /etc/apache2/envvars names another. */
const defaultUser = 'www-data';

/** Runs one change at a time, as root. */
export async function changeSuexec<T>(
  command: Command,
  act: (paths: Paths) => Promise<Result<T, Problem>>,
  done: (value: T) => ExitCode,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  if (process.geteuid?.() !== 0)
    return failWith({ action: 'change suexec', reason: 'only root can', hint: 'run it as root' });
  const changed = await underLockAsync(suexecLock(paths), () => act(paths));
  return changed.ok ? done(changed.value) : failWith(changed.error);
}

const enable = (_options: object, command: Command): Promise<ExitCode> =>
  changeSuexec(
    command,
    (paths) => {
      const user = findWebPrograms().apache?.environment['APACHE_RUN_USER'];
      return enableSuexec(paths, user === undefined || user === '' ? defaultUser : user);
    },
    (state) => {
      print(stateText(state));
      return state.state === 'enabled' ? exitCodes.done : exitCodes.failed;
    },
  );

export const command: CommandModule = {
  define(command, run) {
    command
      .addHelpText(
        'after',
        examples(['bulkhead web suexec enable', 'in force with the next request; Apache goes on']),
      )
      .action(run(enable));
  },
};

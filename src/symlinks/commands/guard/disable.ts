/** `bulkhead symlinks guard disable`. */
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { print, printJson, failWith } from '../../../cli/shared/session.ts';
import type { Paths } from '../../../host/paths.ts';
import { underLock } from '../../../sys/files/under-lock.ts';
import { choiceLock, writeChoice } from '../../io/guard/choice.ts';
import { inForce, symlinkGuard } from '../../io/guard/guard.ts';
import type { GuardChange } from '../json.ts';
import { asRoot, withGuardOptions, type GuardOptions } from './session.ts';

function disable(options: GuardOptions, paths: Paths): ExitCode {
  if (options.dryRun === true) return rehearseDisable(options, paths);
  // The choice is saved first: otherwise an agent that finds the guard gone would load it again.
  const done = underLock(choiceLock(paths), () => {
    const kept = writeChoice(paths, 'off');
    return kept.ok ? symlinkGuard(paths).unload() : kept;
  });
  if (!done.ok) return failWith(done.error);
  if (options.json === true) printJson({ state: 'off', changed: done.value } satisfies GuardChange);
  else print(done.value ? 'The symlink guard is off' : 'The symlink guard is off already');
  return exitCodes.done;
}

export function rehearseDisable({ json }: GuardOptions, paths: Paths): ExitCode {
  const isOn = inForce(paths) !== undefined;
  if (json === true) printJson({ state: 'off', changed: isOn, dryRun: true } satisfies GuardChange);
  else print(isOn ? 'The symlink guard would be disabled' : 'The symlink guard is off already');
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    withGuardOptions(command)
      .addHelpText('after', examples(['bulkhead symlinks guard disable', '']))
      .action(run(asRoot(disable)));
  },
};

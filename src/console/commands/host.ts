/** The first steps of `console enable` and `disable`, which change units of systemd, as root. */
import type { Command } from 'commander';
import { exitCodes, type ExitCode } from '../../cli/shared/command.ts';
import { failWith, pathsFor } from '../../cli/shared/output.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../host/paths.ts';
import { packageFile } from '../../sys/package-files.ts';

/** Returns the paths of this host, or the exit code after the reason has been printed. */
export function hostPaths(command: Command, action: string): Paths | ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const blocker = whyNot(paths);
  return blocker === undefined ? paths : failWith({ action, ...blocker });
}

function whyNot({ instance }: Paths): Cause | undefined {
  if (process.geteuid?.() !== 0) return { reason: 'only root may', hint: 'run it as root' };
  if (instance !== 'bulkhead') return { reason: 'units are for the instance "bulkhead" only' };
  return runsSystemd()
    ? undefined
    : {
        reason: 'systemd is not the init of this host',
        hint: 'have another service manager run "bulkhead console serve" as root, which gives up its rights',
      };
}

/** Returns why the account of the front cannot run this program. */
export function whyUnreadable(program = packageFile('bulkhead')): Cause | undefined {
  // The unit has ProtectHome=.
  return /^\/(?:home|root|run\/user)\//.test(program)
    ? {
        reason: `the account of the console cannot read ${program}`,
        hint: 'install the package, or have the program in /opt',
      }
    : undefined;
}

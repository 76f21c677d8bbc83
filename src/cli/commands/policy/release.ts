/** `bulkhead release`: removes every limit and leaves the host as it was. */
import type { Command } from 'commander';
import { capabilities } from '../../../capabilities.ts';
import { releaseAll } from '../../../apply/apply.ts';
import { releaseParts } from '../../../apply/parts.ts';
import { linuxHost } from '../../../host/host.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../../shared/command.ts';
import { printError, pathsFor, print } from '../../shared/session.ts';

async function release(options: { readonly kill: boolean }, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  for (const { releaseObstacle } of capabilities) {
    const obstacle = (await releaseObstacle?.())?.(paths);
    if (obstacle === undefined) continue;
    printError(obstacle);
    return exitCodes.failed;
  }
  const released = releaseAll(linuxHost(paths), options);
  if (!released.ok) {
    for (const problem of released.error) printError(problem);
    return exitCodes.failed;
  }
  const problems = await releaseParts(paths);
  for (const problem of problems) printError(problem);
  if (problems.length > 0) return exitCodes.failed;
  print('All limits and cgroups of Bulkhead are removed; "bulkhead apply" restores them');
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--kill', 'kill the processes that are still in the cgroups', false)
      .addHelpText('after', examples(['bulkhead release --kill', 'before uninstalling']))
      .action(run(release));
  },
};

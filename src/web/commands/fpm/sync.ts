/**
 * `bulkhead web fpm sync`: the command that the distribution's service runs before it starts and around a
 * reload.
 */
import { Option, type Command } from 'commander';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type Runner,
} from '../../../cli/shared/command.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import { pathsFor, printError, failWith } from '../../../cli/shared/session.ts';
import type { FpmCaller } from '../../io/fpm/apply-plan.ts';
import { ok } from '../../../../packages/base/result.ts';
import { distributionUnit } from '../../../layouts/layouts.ts';
import { recordOutcome } from '../../io/fpm/failures/outcome.ts';
import { reloadOutdated } from '../../io/fpm/outdated.ts';
import { lockFpm, reconcile } from '../../io/fpm/reconcile.ts';
import { startSession, type FpmOptions } from './session.ts';

interface SyncOptions extends FpmOptions {
  readonly when: FpmCaller;
  readonly within: number;
}

/** The part of the total time that checks may use. */
const shareOfChecks = 0.75;

async function sync(
  version: string,
  { when, within, ...options }: SyncOptions,
  command: Command,
): Promise<ExitCode> {
  const session = await startSession({ ...options, php: version }, command, 'divided');
  const [context] = typeof session === 'number' ? [] : session.contexts;
  if (context === undefined) {
    const paths = pathsFor(command);
    const problem = `bulkhead web fpm sync could not begin; see journalctl -u ${distributionUnit(version)}`;
    if (paths !== undefined) recordOutcome(paths, version, { problem });
    return typeof session === 'number' ? session : exitCodes.failed;
  }
  const lock = lockFpm(context.layout, 0);
  // The process that holds it has told this service to start or reload, and continues from there.
  if (!lock.ok) return exitCodes.done;
  using _lock = lock.value;
  const done = await reconcile(context, { choose: (choice) => choice }, when, {
    checkMs: shareOfChecks * 1000 * within,
    triesAgain: when === 'start',
  });
  if (!done.ok) return failWith(done.error);
  for (const { user, reason } of done.value.refused)
    printError(`The configuration of ${user} is not accepted and stays as it was: ${reason}`);
  const renewed = when === 'reload' ? ok(undefined) : await reloadOutdated(context.layout);
  if (!renewed.ok) printError(renewed.error);
  return exitCodes.done;
}

function define(command: Command, run: Runner): void {
  describeArgument(command, 'PHP, such as 8.4 or ea-php83');
  command
    .addOption(policyOption())
    .addOption(
      new Option('--when <moment>', 'start, reload or reloaded: what the service is about to do')
        .choices(['start', 'reload', 'reloaded'])
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--within <seconds>', 'how long the service waits for it')
        .argParser(Number)
        .default(120),
    )
    .addHelpText('after', examples(['bulkhead web fpm sync 8.4 --when reload', '']))
    .action(run(sync));
}

export const command: CommandModule = { define };

/** `bulkhead web fpm disable`: moves pools back to the distribution's php-fpm. */
import type { Command } from 'commander';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type Runner,
} from '../../../cli/shared/command.ts';
import { failWith } from '../../../cli/shared/session.ts';
import { findTenant } from '../../../policy/policy.ts';
import { leaving, nobody } from '../../core/fpm/service/choice.ts';
import { makeChanges } from './change.ts';
import { namesOne, selectOptions, type SelectOptions } from './enable.ts';
import { startSession } from './session.ts';

async function disable(
  name: string | undefined,
  options: SelectOptions,
  command: Command,
): Promise<ExitCode> {
  if (!namesOne(name, options)) return exitCodes.usage;
  const session = await startSession(options, command, 'divided');
  if (typeof session === 'number') return session;
  const uid = name === undefined ? undefined : uidOf(name, findTenant(session.policy, name)?.uid);
  if (name !== undefined && uid === undefined)
    return failWith({
      action: 'take the service from',
      object: name,
      reason: 'it is not a tenant',
      hint: 'if the account is gone, give its uid',
    });
  const changes = session.contexts.map((context) => ({
    context,
    wish: {
      choose: (choice: Parameters<typeof leaving>[0]) =>
        uid === undefined ? nobody : leaving(choice, uid),
    },
  }));
  return makeChanges(changes, options);
}

const uidOf = (name: string, known: number | undefined): number | undefined =>
  known ?? (/^[1-9]\d{0,9}$/.test(name) ? Number(name) : undefined);

function define(command: Command, run: Runner): void {
  describeArgument(command, 'account or uid of a tenant');
  selectOptions(command, 'every tenant, and everything that enable wrote');
  command
    .addHelpText(
      'after',
      examples(
        ['bulkhead web fpm disable alice', ''],
        ['bulkhead web fpm disable --all', 'as it was before enable'],
      ),
    )
    .action(run(disable));
}

export const command: CommandModule = { define };

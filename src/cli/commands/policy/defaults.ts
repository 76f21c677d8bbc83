/** `bulkhead defaults`: limits for tenants that have no more specific ones. */
import type { Command } from 'commander';
import { examples, type CommandResult, type CommandModule } from '../../shared/command.ts';
import { withEditOptions, type NamedTarget, type EditOptions } from '../../shared/edit-policy.ts';
import { setIn, unsetIn, withSetOptions, type SetOptions } from './set-limits.ts';

const defaults: NamedTarget = { what: 'the defaults', target: () => ({ kind: 'defaults' }) };

const set = (words: string[], options: SetOptions, command: Command): CommandResult =>
  setIn(defaults, words, options, command);

const unset = (names: string[], options: EditOptions, command: Command): CommandResult =>
  unsetIn(defaults, names, options, command);

export const command: CommandModule = {
  define(noun, run) {
    noun.addHelpText('after', examples(['bulkhead defaults set cpu=100% memory=1GiB', '']));
    withSetOptions(noun.command('set [limits...]').description('set limits'))
      .addHelpText('after', examples(['bulkhead defaults set cpu=100% memory=1GiB', '']))
      .action(run(set));
    withEditOptions(noun.command('unset <limits...>').description('remove limits'))
      .addHelpText('after', examples(['bulkhead defaults unset io', 'all attributes of io']))
      .action(run(unset));
  },
};

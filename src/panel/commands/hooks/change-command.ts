/** The commands that add and remove the calls of hooks. */
import type { Command } from 'commander';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, pathsFor, printError } from '../../../cli/shared/output.ts';
import { disableHooks, enableHooks, surveyHooks } from '../../io/hooks/panel-hooks.ts';
import { printHooks } from './status.ts';

const actions = { enable: enableHooks, disable: disableHooks } as const;
const does = {
  enable: 'the panel calls Bulkhead from now on',
  disable: 'the hooks as they were before',
} as const;

export const changeCommand = (verb: keyof typeof actions): CommandModule => ({
  define(command, run) {
    command
      .addHelpText('after', examples([`bulkhead panel hooks ${verb}`, does[verb]]))
      .action(run((_options: unknown, of: Command) => change(verb, of)));
  },
});

async function change(verb: keyof typeof actions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const place = { paths, root: '' };
  const done = await actions[verb](place);
  if (!done.ok) return failWith(done.error);
  const found = await surveyHooks(place);
  if (verb === 'enable' && found.every(({ hooks }) => hooks.length === 0))
    return failWith({
      action: 'add hooks to the panel',
      reason: 'no panel with hooks that Bulkhead knows was found',
      hint: 'the agent reads the panel every five minutes all the same',
    });
  printHooks(found);
  for (const each of done.value) printError(each);
  return done.value.length === 0 ? exitCodes.done : exitCodes.failed;
}

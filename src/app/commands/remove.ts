/** `bulkhead app remove`: a tenant removes an application of its own. */
import type { Command } from 'commander';
import { describeArgument, examples, type CommandModule } from '../../cli/shared/command.ts';
import { changeOwnApp } from './own-app.ts';

const remove = (name: string, _options: object, command: Command) =>
  changeOwnApp(
    command,
    { remove: name },
    { 'in force': `${name} is removed`, kept: `${name} ends soon` },
  );

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the name of the application');
    command
      .addHelpText('after', examples(['bulkhead app remove blog', 'its log stays']))
      .action(run(remove));
  },
};

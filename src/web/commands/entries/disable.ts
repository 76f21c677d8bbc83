/** `bulkhead web entries disable`: removes what enable has written, and has the web servers follow that. */
import type { Command } from 'commander';
import { examples, type CommandModule, type ExitCode } from '../../../cli/shared/command.ts';
import { planNginxRemoval } from '../../io/entries/nginx.ts';
import { removeRecord } from '../../io/entries/record.ts';
import type { NginxProgram } from '../../io/servers.ts';
import { carryOut } from './carry-out.ts';
import { sessionWithoutPolicy, withEntriesOptions, type EntriesOptions } from './session.ts';

async function disable(options: EntriesOptions, command: Command): Promise<ExitCode> {
  const session = await sessionWithoutPolicy(command);
  if (typeof session === 'number') return session;
  const plan = (nginx: NginxProgram) => Promise.resolve(planNginxRemoval(nginx, session.survey));
  return carryOut(session, options, plan, ({ paths }) => removeRecord(paths));
}

export const command: CommandModule = {
  define(command, run) {
    withEntriesOptions(command, 'print what would be removed; changes nothing')
      .addHelpText(
        'after',
        examples(['bulkhead web entries disable', 'remove it, and reload the web server']),
      )
      .action(run(disable));
  },
};

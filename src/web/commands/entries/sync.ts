/** `bulkhead web entries sync`: does the same as `enable`, but only if entries are enabled. */
import type { Command } from 'commander';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { pathsFor, print } from '../../../cli/shared/session.ts';
import { isEnabled } from '../../io/entries/enabled.ts';
import { readEntriesRecord } from '../../io/entries/record.ts';
import { findWebPrograms } from '../../io/find-programs.ts';
import { disable } from './disable.ts';
import { enable } from './enable.ts';
import { whenLocked } from './locked.ts';
import { withEntriesOptions, type EntriesOptions } from './session.ts';

function sync(options: EntriesOptions, command: Command): ExitCode | Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  if (isEnabled(paths, findWebPrograms())) {
    const strict = readEntriesRecord(paths)?.strict === true;
    return enable({ ...options, strict }, command);
  }
  // A first enable was killed and has been undone, but a web server may have loaded its files.
  if ((options.undone?.size ?? 0) > 0) return disable(options, command);
  print('Entries are not enabled here');
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    withEntriesOptions(command, 'print what would be written; changes nothing')
      .addHelpText(
        'after',
        examples(['bulkhead web entries sync', 'after a change of a vhost, at once']),
      )
      .action(run(whenLocked(sync)));
  },
};

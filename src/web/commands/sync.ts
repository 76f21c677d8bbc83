/** `bulkhead web sync`: records each tenant's served sites for the agent. */
import type { Command } from 'commander';
import { count } from '../../../packages/base/list.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { print, failWith } from '../../cli/shared/session.ts';
import { countedLogs, withKnownLogs } from '../core/access-logs/counted-logs.ts';
import { readWebLogs, writeWebLogs } from '../io/access-logs/record.ts';
import { readServed, writeServed } from '../io/served/record.ts';
import { servedSites, withKnown } from '../core/served-sites.ts';
import { withSurvey } from './survey.ts';

const sync = (options: PolicyOptions, command: Command): Promise<ExitCode> =>
  withSurvey(options, command, ({ paths, survey, isWhole }) => {
    const found = servedSites(survey.sites);
    const served = isWhole ? found : withKnown(found, readServed(paths) ?? new Map());
    const logsFound = countedLogs(survey.sites);
    const logs = isWhole ? logsFound : withKnownLogs(logsFound, readWebLogs(paths));
    for (const written of [writeServed(paths, served), writeWebLogs(paths, logs)])
      if (!written.ok) return failWith(written.error);
    const names = [...served.values()].reduce((sum, each) => sum + each.size, 0);
    print(`Noted ${count(names, 'name')} of sites of ${count(served.size, 'tenant')}`);
    return exitCodes.done;
  });

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .addHelpText(
        'after',
        examples(['bulkhead web sync', 'now, so that tenants can set limits of a new site']),
      )
      .action(run(sync));
  },
};

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
import { countedLogs } from '../core/access-logs/counted-logs.ts';
import { writeWebLogs, type LogsByTenant } from '../io/access-logs/record.ts';
import type { Survey } from '../io/survey.ts';
import { readServed, writeServed } from '../io/served/record.ts';
import { servedSites, withKnown } from '../core/served-sites.ts';
import { withSurvey } from './survey.ts';

const sync = (options: PolicyOptions, command: Command): Promise<ExitCode> =>
  withSurvey(options, command, ({ paths, survey, isWhole }) => {
    const found = servedSites(survey.sites);
    const served = isWhole ? found : withKnown(found, readServed(paths) ?? new Map());
    for (const written of [
      writeServed(paths, served),
      writeWebLogs(paths, logsFor(survey, isWhole)),
    ])
      if (!written.ok) return failWith(written.error);
    const names = [...served.values()].reduce((sum, each) => sum + each.size, 0);
    print(`Noted ${count(names, 'name')} of sites of ${count(served.size, 'tenant')}`);
    return exitCodes.done;
  });

/** Sites of a configuration that was not read whole may be missing. */
function logsFor({ sites }: Survey, isWhole: boolean): LogsByTenant {
  const found = countedLogs(sites);
  if (isWhole) return found;
  const gap = 'not all of the configuration of web servers could be read';
  return new Map([...found].map(([uid, { logs, gaps }]) => [uid, { logs, gaps: [gap, ...gaps] }]));
}

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

/** `bulkhead web discover`: notes for the agent which sites of which tenants are served. */
import type { Command } from 'commander';
import { count } from '../../base/list.ts';
import { printProblem } from '../../base/problem.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { pathsFor, print, printError } from '../../cli/shared/session.ts';
import { readServed, writeServed } from '../io/served/record.ts';
import { servedSites, withKnown } from '../core/served-sites.ts';
import { findWebPrograms } from '../io/servers.ts';
import { surveyWeb } from '../io/survey.ts';
import { notRoot, serverProblems } from './server-problems.ts';
import { tenancyOrReport } from './tenancy.ts';

async function discover(options: PolicyOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const denied = notRoot();
  if (denied !== undefined) {
    printError(denied);
    return exitCodes.failed;
  }
  const tenancy = tenancyOrReport(options.policy, command, paths);
  if (tenancy === undefined) return exitCodes.failed;
  const { servers, sites } = await surveyWeb(findWebPrograms(), tenancy);
  const problems = servers.flatMap(serverProblems);
  const found = servedSites(sites);
  const served = problems.length === 0 ? found : withKnown(found, readServed(paths) ?? new Map());
  const written = writeServed(paths, served);
  if (!written.ok) problems.push(printProblem(written.error));
  for (const problem of problems) printError(problem);
  const names = [...served.values()].reduce((sum, each) => sum + each.size, 0);
  if (written.ok)
    print(`Noted ${count(names, 'name')} of sites of ${count(served.size, 'tenant')}`);
  return problems.length === 0 ? exitCodes.done : exitCodes.failed;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .addHelpText(
        'after',
        examples(['bulkhead web discover', 'at once, for tenants who set limits of a new site']),
      )
      .action(run(discover));
  },
};

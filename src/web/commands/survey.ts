/** The web servers of this host, for the commands that show or record what they serve. */
import type { Command } from 'commander';
import { formatProblem } from '../../../packages/base/problem.ts';
import { exitCodes, type ExitCode, type PolicyOptions } from '../../cli/shared/command.ts';
import { pathsFor, printError, failWith } from '../../cli/shared/session.ts';
import type { Paths } from '../../host/paths.ts';
import type { ServerRead } from '../core/overview.ts';
import { findWebPrograms, notServedHere, unknownMasters } from '../io/find-programs.ts';
import type { NotServed } from '../io/servers.ts';
import { surveyWeb, type Survey } from '../io/survey.ts';
import { tenancyOrReport, type KnownTenancy } from './tenancy.ts';

interface Surveyed {
  readonly paths: Paths;
  readonly tenancy: KnownTenancy;
  readonly survey: Survey;
  /** The web servers and PHP-FPM that Bulkhead finds, and leaves alone. */
  readonly notServed: readonly NotServed[];
  /** Whether all servers showed all of their configuration. */
  readonly isWhole: boolean;
}

/**
 * Calls `use` with what web servers answered. Problems in asking them, or in reading all of their configuration, are
 * printed and make the command fail.
 */
export async function withSurvey(
  options: PolicyOptions,
  command: Command,
  use: (surveyed: Surveyed) => ExitCode,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  if (process.geteuid?.() !== 0) {
    const reason = 'web servers show their whole configuration to root alone';
    return failWith({ action: 'read web servers', reason, hint: 'run it as root' });
  }
  const tenancy = await tenancyOrReport(options.policy, command, paths);
  if (tenancy === undefined) return exitCodes.failed;
  const programs = findWebPrograms();
  const survey = await surveyWeb(programs, tenancy);
  const notServed = [...notServedHere(programs, paths), ...unknownMasters(programs)];
  const problems = survey.servers.flatMap(serverProblems);
  for (const problem of problems) printError(problem);
  const isWhole = problems.length === 0;
  const used = use({ paths, tenancy, survey, notServed, isWhole });
  return isWhole ? used : exitCodes.failed;
}

const serverProblems = ({ name, problems }: ServerRead): string[] =>
  problems.map(({ file, line, message }) => {
    const place = [file, line].filter((each) => each !== undefined).join(':');
    return formatProblem({
      action: `read all of the configuration of ${name}`,
      reason: place === '' ? message : `${place}: ${message}`,
    });
  });

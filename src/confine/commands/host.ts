/** The start of all of these commands: a host that systemd runs, its policy, and root. */
import type { Command } from 'commander';
import { exitCodes, type ExitCode } from '../../cli/shared/command.ts';
import { pathsFor, printError, failWith } from '../../cli/shared/output.ts';
import { defaultPolicy } from '../../cli/shared/policy-option.ts';
import { installedServices, confinePathsOf, type ConfinePaths } from '../io/places.ts';
import type { Asked } from '../io/read-facts.ts';
import { survey, type SurveyedService } from '../io/survey.ts';
import { runningSystemd } from '../io/unit.ts';
import { policyReaderOf } from '../../cli/capability.ts';

export interface ConfineHost {
  readonly places: ConfinePaths;
  readonly asked: Asked;
}

/** Returns the host, or the exit code after the reason has been printed. */
export async function hostOf(command: Command): Promise<ConfineHost | ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const version = await runningSystemd();
  if (!version.ok) return failWith(version.error);
  if (process.geteuid?.() !== 0)
    return failWith({
      action: 'confine daemons',
      reason: 'only root can',
      hint: 'run it as root',
    });
  const { policy } = (await policyReaderOf(command)).load(defaultPolicy, paths);
  return { places: confinePathsOf(paths), asked: { paths, policy, version: version.value } };
}

/** Surveys all that is installed. A service that could not be surveyed is printed, and the status is `failed`. */
export async function surveyAll({ places, asked }: ConfineHost) {
  const all: SurveyedService[] = [];
  let status: ExitCode = exitCodes.done;
  for (const service of installedServices(places)) {
    const surveyed = await survey(places, asked, service);
    if (surveyed.ok) all.push(surveyed.value);
    else {
      printError(surveyed.error);
      status = exitCodes.failed;
    }
  }
  return { all, status };
}

/**
 * `bulkhead confine status`: each service with a drop-in, whether it is in force, and whether Bulkhead would write the
 * same.
 */
import type { Command } from 'commander';
import { formatCause, type Cause } from '../../../packages/base/problem.ts';
import { exitCodes, type CommandModule, type ExitCode } from '../../cli/shared/command.ts';
import { print, printJson } from '../../cli/shared/output.ts';
import { table } from '../../cli/shared/terminal.ts';
import { formatServiceState, type SurveyedService } from '../io/survey.ts';
import { hostOf, surveyAll } from './host.ts';
import type { ConfineStatusJson, ConfineStatusRow } from './json.ts';

async function status({ json }: { readonly json?: boolean }, command: Command): Promise<ExitCode> {
  const host = await hostOf(command);
  if (typeof host === 'number') return host;
  const { all, status: exit } = await surveyAll(host);
  const confined = all.filter(({ state }) => state !== 'absent');
  if (json === true)
    printJson({ services: confined.map(surveyedJson) } satisfies ConfineStatusJson);
  else print(statusText(confined));
  if (exit !== exitCodes.done) return exit;
  return confined.some((each) => problemOf(each) !== undefined) ? exitCodes.found : exitCodes.done;
}

function statusText(confined: readonly SurveyedService[]): string {
  if (confined.length === 0) return 'No daemon is confined; see bulkhead confine list';
  return table(
    confined.map((each) => [
      each.service.name,
      formatServiceState(each),
      remarkOf(each) ?? each.file,
    ]),
  );
}

/** Returns the reason why it is not as it should be. */
function problemOf({ service, state, now, inForce, file }: SurveyedService): Cause | undefined {
  const { name, unit } = service;
  if (state === 'foreign') return { reason: `${file} was not written by Bulkhead` };
  if (state === 'changed')
    return {
      reason: `${file} was edited`,
      hint: `bulkhead confine enable ${name} --force writes it anew`,
    };
  return now.mainPid > 0 && !inForce ? { reason: `run: systemctl restart ${unit}` } : undefined;
}

/**
 * Returns the problem or a hint. A drop-in is not compared while its service is stopped: the files that it writes are
 * unknown then.
 */
function remarkOf(each: SurveyedService): string | undefined {
  const { service, now, text, wanted } = each;
  const problem = problemOf(each);
  if (problem !== undefined) return formatCause(problem);
  const isOld = now.mainPid > 0 && text !== wanted;
  const hint = `it would be written otherwise now; bulkhead confine enable ${service.name} --dry-run shows how`;
  return isOld ? hint : undefined;
}

const surveyedJson = (each: SurveyedService): ConfineStatusRow => ({
  service: each.service.name,
  unit: `${each.service.unit}.service`,
  file: each.file,
  active: each.now.active,
  dropIn: each.state,
  inForce: each.inForce,
  remark: remarkOf(each) ?? null,
});

export const command: CommandModule = {
  define(command, run) {
    command.option('--json', 'print as JSON').action(run(status));
  },
};

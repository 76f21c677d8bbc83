/** `bulkhead confine list`: which daemons are installed, confined or not, and how exposed. */
import type { Command } from 'commander';
import type { CommandModule, ExitCode } from '../../cli/shared/command.ts';
import { print, printJson } from '../../cli/shared/output.ts';
import { table } from '../../cli/shared/terminal.ts';
import { exposureText } from '../core/exposure.ts';
import {
  exposuresOf,
  formatServiceState,
  type Exposures,
  type SurveyedService,
} from '../io/survey.ts';
import { hostOf, surveyAll } from './host.ts';
import type { ConfineListJson, ConfineListRow } from './json.ts';

interface Row extends Exposures {
  readonly surveyed: SurveyedService;
}

async function list({ json }: { readonly json?: boolean }, command: Command): Promise<ExitCode> {
  const host = await hostOf(command);
  if (typeof host === 'number') return host;
  const { places, asked } = host;
  const { all, status } = await surveyAll(host);
  const rows: Row[] = [];
  for (const surveyed of all)
    rows.push({ surveyed, ...(await exposuresOf(places, surveyed, asked.version)) });
  if (json === true)
    printJson({ systemd: asked.version, services: rows.map(rowJson) } satisfies ConfineListJson);
  else print(listText(rows));
  return status;
}

function listText(rows: readonly Row[]): string {
  if (rows.length === 0) return 'None of the daemons that can be confined is installed';
  const head = ['Service', 'State', 'Sandbox', 'Exposure', 'Confined', 'What it is'];
  const body = rows.map(({ surveyed, before, after }) => [
    surveyed.service.name,
    surveyed.now.active,
    formatServiceState(surveyed),
    exposureText(before),
    exposureText(after),
    surveyed.service.profile.does,
  ]);
  return table([head, ...body], [3, 4]);
}

const rowJson = ({ surveyed, before, after }: Row): ConfineListRow => ({
  service: surveyed.service.name,
  unit: `${surveyed.service.unit}.service`,
  does: surveyed.service.profile.does,
  active: surveyed.now.active,
  dropIn: surveyed.state,
  inForce: surveyed.inForce,
  exposure: before ?? null,
  exposureConfined: after ?? null,
});

export const command: CommandModule = {
  define(command, run) {
    command.option('--json', 'print as JSON').action(run(list));
  },
};

/** `bulkhead setup status`: the ladder. */
import type { Command } from 'commander';
import type { LadderReport } from '../../agent/responses/protection-response.ts';
import { countLayers, type Layer } from '../../../packages/base/layer.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, print, printError, printJson } from '../../cli/shared/output.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { printable } from '../../../packages/base/printable.ts';
import { noteReports } from '../core/quiet.ts';
import type { SetupRecord } from '../core/record.ts';
import { isDone } from '../core/plan.ts';
import { steps } from '../core/steps.ts';
import { keepReport } from '../../host/kept-reports.ts';
import { lockSetup } from '../io/lock.ts';
import { jsonText } from '../../../packages/base/json.ts';
import { writeRecord } from '../io/record-file.ts';
import type { SetupStatusJson } from './json.ts';
import { layersNow, setupSession, withRecord, type Session, type SetupOptions } from './session.ts';
import { printLayers } from './text.ts';

/** Prints the ladder; the exit code is 3 if something that setup raised is not in force any more. */
async function status(_options: SetupOptions, command: Command): Promise<ExitCode> {
  // "setup" has options of the same names, and takes their values wherever they stand.
  const options = command.optsWithGlobals<SetupOptions>();
  const found = await setupSession(options, command);
  if (typeof found === 'number') return found;
  // While a setup runs, its record is its own.
  const lock = lockSetup(found.paths);
  using _lock = lock.ok ? lock.value : undefined;
  const recorded = withRecord(found, command);
  if (!recorded.ok) return failWith(recorded.error);
  const layers = await layersNow(recorded.value.session);
  if (!layers.ok) return failWith(layers.error);
  const known = recorded.value.record;
  const noted = lock.ok ? noteQuiet(found, known, layers.value) : ok(known);
  if (!noted.ok) return failWith(noted.error);
  const record = noted.value;
  const slippedBack = record === undefined ? [] : slipped(record, layers.value);
  const report = { level: record?.answers.level ?? null, layers: layers.value, slippedBack };
  const kept = keepReport(found.paths, 'setup-status', report satisfies LadderReport);
  if (!kept.ok) printError(kept.error);
  if (options.json === true) printJson(statusJson(record, layers.value, slippedBack));
  else printStatus(record, layers.value, slippedBack);
  return slippedBack.length === 0 ? exitCodes.done : exitCodes.found;
}

/** Records what watching layers have reported until now; returns the record, if setup has run here. */
function noteQuiet(
  { paths }: Pick<Session, 'paths'>,
  record: SetupRecord | undefined,
  layers: readonly Layer[],
): Result<SetupRecord | undefined, Problem> {
  if (record === undefined) return ok(undefined);
  const quiet = noteReports(layers, record.quiet, new Date().toISOString());
  if (jsonText(quiet) === jsonText(record.quiet)) return ok(record);
  const noted = { ...record, quiet };
  const written = writeRecord(paths, noted);
  return written.ok ? ok(noted) : written;
}

const statusJson = (
  record: SetupRecord | undefined,
  layers: readonly Layer[],
  slippedBack: readonly string[],
): SetupStatusJson => ({
  level: record?.answers.level ?? null,
  steps: record?.steps ?? {},
  layers,
  counts: countLayers(layers),
  slippedBack,
  quiet: record?.quiet ?? {},
});

function printStatus(
  record: SetupRecord | undefined,
  layers: readonly Layer[],
  slippedBack: readonly string[],
): void {
  if (record === undefined) print('Setup has not run on this host\n');
  else print(`Level ${record.answers.level}\n${stepLines(record)}\n`);
  printLayers(layers, record);
  if (slippedBack.length > 0)
    print(`Slipped back: ${slippedBack.join(', ')}; run "bulkhead setup" again`);
}

const stepLines = ({ steps: done }: SetupRecord): string =>
  steps
    .flatMap(({ key, title }) => {
      const entry = done[key];
      if (entry === undefined) return [];
      const why = entry.reason === undefined ? '' : `: ${printable(entry.reason)}`;
      return [`  ${entry.at.slice(0, 10)}  ${entry.state.padEnd(7)}  ${title}${why}`];
    })
    .join('\n');

/** Returns the open layers of done steps that setup would do again, and guards that no longer refuse. */
function slipped(record: SetupRecord, layers: readonly Layer[]): readonly string[] {
  const again = steps.filter(
    (step) => record.steps[step.key]?.state === 'done' && !isDone(step, layers, record),
  );
  const keys = new Set(again.flatMap((each) => each.layers));
  return layers
    .filter(({ key, state }) =>
      record.raised.includes(key) ? state !== 'enforced' : keys.has(key) && state === 'open',
    )
    .map(({ key }) => key);
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(['bulkhead setup status', 'every layer of protection, and what would raise it']),
      )
      .action(run(status));
  },
};

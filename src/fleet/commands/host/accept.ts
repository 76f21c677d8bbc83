/**
 * `bulkhead fleet accept FILE`: hands a release to the agent, and waits for the result with `--wait`. The agent decides
 * and watches: ending this command ends nothing of that. A controller's record is handed over by it as well.
 */
import type { Command } from 'commander';
import { parseDuration } from '../../../../packages/base/duration.ts';
import { readBounded, decodeText } from '../../../../packages/base/io/regular-file.ts';
import { parseObject } from '../../../../packages/base/json.ts';
import { formatProblem } from '../../../../packages/base/problem.ts';
import { callAgent, type AgentFailure, type Query } from '../../../agent/api/client.ts';
import type { FleetResponse } from '../../../agent/api/fleet-api.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import {
  failWith,
  pathsFor,
  print,
  printError,
  printJson,
  sayItWaits,
} from '../../../cli/shared/output.ts';
import type { Paths } from '../../../host/paths.ts';
import { isRecordFile } from '../../core/rollout/parse-record.ts';
import type { JsonOption } from '../../../cli/shared/agent-request.ts';
import { describeFleet } from './describe.ts';
import type { FleetAcceptJson } from './json.ts';
import { handOver, outcomeOf, waitForRelease } from './wait-for-release.ts';
import { jsonOption } from '../shared-options.ts';

/** The largest bundle that the agent takes. */
const bytesMax = 24 * 2 ** 20;

interface AcceptOptions extends JsonOption {
  readonly wait?: string;
  readonly anyWave?: boolean;
}

/** Exit statuses; others are as of every command. Configuration management relies on them. */
const statuses: Readonly<Record<FleetAcceptJson['outcome'], ExitCode>> = {
  healthy: exitCodes.done,
  'under way': exitCodes.failed,
  unclear: exitCodes.failed,
  'rolled back': exitCodes.found,
  refused: exitCodes.undecided,
  failed: exitCodes.failed,
  followed: exitCodes.done,
};

async function accept(file: string, options: AcceptOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const wait = options.wait === undefined ? undefined : parseDuration(options.wait);
  if (wait?.ok === false) {
    printError(wait.error);
    return exitCodes.usage;
  }
  const read = readBounded(file, bytesMax);
  if (!read.ok) return failWith(read.error);
  const body = decodeText(read.value);
  if (isRecordFile(body)) return acceptRecord(paths, body, options);
  const query: Query = options.anyWave === true ? { 'any-wave': 'yes' } : {};
  const asked = await handOver(paths, body, query, wait?.value ?? 0);
  if (!asked.ok) return refused(asked.error, generationOf(body), paths, options);
  const release = idIn(body);
  if (wait === undefined) return report(outcomeOf(asked.value, release), options, true);
  return report(await waitForRelease(paths, release, asked.value, wait.value), options, false);
}

/** Hands a controller's record over. */
async function acceptRecord(paths: Paths, body: string, options: AcceptOptions): Promise<ExitCode> {
  const asked = await callAgent<FleetResponse>(
    paths,
    '/v1/fleet/record',
    {},
    { method: 'POST', body, onSlow: sayItWaits },
  );
  if (!asked.ok) return refused(asked.error, undefined, paths, options);
  return report({ ...asked.value, outcome: 'followed' }, options, false);
}

/** A refusal is final. Everything else may work later. */
async function refused(
  problem: AgentFailure,
  generation: number | undefined,
  paths: Paths,
  options: AcceptOptions,
): Promise<ExitCode> {
  const asked = await callAgent<FleetResponse>(paths, '/v1/fleet');
  const now: FleetResponse = asked.ok ? asked.value : { state: 'unknown', problems: [] };
  const isBack = now.ended?.outcome === 'rolled back' && now.ended.generation === generation;
  const known = generation === undefined ? {} : { generation };
  if (problem.status === 422 && isBack) {
    const reason = now.ended?.reasons.join('; ') ?? '';
    return report({ ...now, ...known, outcome: 'rolled back', reason }, options, false);
  }
  const outcome = problem.status === 422 ? 'refused' : 'failed';
  return report({ ...now, ...known, outcome, reason: formatProblem(problem) }, options, false);
}

function report(result: FleetAcceptJson, { json }: AcceptOptions, isEarly: boolean): ExitCode {
  const { outcome, generation, reason } = result;
  const name = generation === undefined ? 'The release' : `Generation ${generation}`;
  if (json === true) printJson(result);
  else if (outcome === 'followed') print(describeFleet(result));
  else if (reason !== undefined && outcome !== 'under way')
    printError(sentenceOf(result, name) ?? reason);
  else if (outcome === 'under way')
    print(`${name} is ${result.state}; the agent goes on, and "bulkhead fleet status" shows it`);
  else print(`${name} is ${outcome}`);
  return isEarly && outcome === 'under way' ? exitCodes.done : statuses[outcome];
}

/** Returns what became of a release that was taken; undefined if the reason says it all. */
function sentenceOf({ outcome, reason, release }: FleetAcceptJson, name: string) {
  if (outcome === 'unclear')
    return `${name} is in force, and its watch is unclear: ${reason}; run "bulkhead fleet keep" or "back"`;
  if (outcome !== 'rolled back') return undefined;
  const now =
    release === undefined
      ? "Only the host's own policy is in force"
      : `Generation ${release.generation} is in force`;
  return `${name} was rolled back: ${reason}. ${now}`;
}

/** Returns the numbers of a release that the agent has taken: its text is known to be right. */
function idIn(bundle: string): { readonly trust: number; readonly generation: number } {
  const { head } = parseObject(bundle) ?? {};
  const { document } = head as { readonly document: string };
  const { trust, generation } = parseObject(document) as { trust: number; generation: number };
  return { trust, generation };
}

/** Returns the generation that a file claims to be; nobody has verified it. */
function generationOf(bundle: string): number | undefined {
  try {
    const { generation } = idIn(bundle);
    return Number.isSafeInteger(generation) ? generation : undefined;
  } catch {
    return undefined;
  }
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(
      command,
      'file of this host that "bulkhead fleet publish" wrote, or the record of a rollout',
    );
    command
      .option('--wait <time>', 'wait until it is healthy, or the host went back, at most so long')
      .option('--any-wave', 'take it now, whatever wave the controllers of the fleet have opened')
      .addOption(jsonOption())
      .addHelpText(
        'after',
        `${examples(
          [
            'bulkhead fleet accept web-017.json',
            'hand it over; the agent checks, applies, watches',
          ],
          ['bulkhead fleet accept web-017.json --wait 45min', 'and wait for the result'],
        )}

Exit statuses: 0 healthy, or taken without --wait; 3 rolled back; 4 refused; 1 anything else.
Ctrl-C ends the wait only: the agent goes on.`,
      )
      .action(run(accept));
  },
};

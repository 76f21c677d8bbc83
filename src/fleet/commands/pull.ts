/**
 * `bulkhead fleet pull`: gets this host's release over HTTPS, and hands it to the agent. It runs without any rights, by
 * the timer of `bulkhead-fleet-pull.service`: the agent verifies, judges and applies, and never opens a connection.
 */
import type { Command } from 'commander';
import { printable } from '../../../packages/base/printable.ts';
import { failed, formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { callAgent } from '../../agent/api/client.ts';
import type { FleetResponse } from '../../agent/api/fleet-api.ts';
import type { JsonOption } from '../../cli/shared/agent-request.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, pathsFor, print, printError, printJson } from '../../cli/shared/output.ts';
import type { Paths } from '../../host/paths.ts';
import { bundleUrl, fetchBundle } from '../io/pull/fetch-bundle.ts';
import { readLast, writeLast } from '../io/pull/last-bundle.ts';
import type { FleetPullJson } from './json.ts';
import { pullRecord } from './pull-record.ts';
import { jsonOption } from './shared-options.ts';

interface PullOptions extends JsonOption {}

async function pull({ json }: PullOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const fleet = await callAgent<FleetResponse>(paths, '/v1/fleet');
  if (!fleet.ok) return failWith(fleet.error);
  const { host, from = [] } = fleet.value;
  const bases = from.filter((each) => /^https?:/.test(each));
  if (host === undefined || bases.length === 0)
    return failWith({
      action: 'get a release',
      reason: 'the policy of this host names no https address of a fleet',
      hint: 'write for example <fleet name="example" host="web-001" from="https://fleet.example.org/"/>',
    });
  if (fleet.value.hasControllers === true) await pullRecord(paths, bases, timeoutMilliseconds);
  const pulled = await newestFirst(bases, host);
  for (const each of pulled) {
    const outcome = await handOver(paths, each, json === true);
    // What one server made up must not keep out what another one has.
    if (outcome !== 'refused') return outcome;
  }
  return exitCodes.failed;
}

interface Pulled {
  readonly url: string;
  readonly text: string;
  readonly isSame: boolean;
}

/**
 * Returns the bundles of all addresses, what claims to be the newest first: a server that stands still must not keep a
 * host from what others have. The problems of the others are printed.
 */
async function newestFirst(bases: readonly string[], host: string): Promise<readonly Pulled[]> {
  const all = await Promise.all(bases.map((base) => pullFrom(base, host)));
  const found = new Map<string, Pulled>();
  for (const each of all)
    if (!each.ok) printError(each.error);
    else if (!found.has(each.value.text)) found.set(each.value.text, each.value);
  const claimed = [...found.values()].map((each) => ({ each, claim: claimOf(each.text) }));
  claimed.sort((a, b) => b.claim.trust - a.claim.trust || b.claim.generation - a.claim.generation);
  return claimed.map(({ each }) => each);
}

const claim =
  /"head":\{"document":"\{\\"format\\":1,\\"fleet\\":\\"[a-z0-9-]{1,63}\\",\\"generation\\":(\d{1,15}),\\"trust\\":(\d{1,15}),/;

/** Returns the numbers that a bundle claims. Nobody has verified them, so it is not worth parsing. */
function claimOf(text: string) {
  const [, generation, trust] = claim.exec(text) ?? [];
  return { generation: Number(generation ?? 0), trust: Number(trust ?? 0) };
}

const timeoutMilliseconds = 60_000;

async function pullFrom(base: string, host: string): Promise<Result<Pulled, Problem>> {
  const url = bundleUrl(base, host);
  if (!url.ok) return failed({ action: 'use the address', object: base, ...url.error });
  const { href } = url.value;
  // Systemd makes it, for the account of the service.
  const directory = process.env['STATE_DIRECTORY'];
  const last = directory === undefined ? undefined : readLast(directory, href);
  const fetched = await fetchBundle(url.value, last?.etag, timeoutMilliseconds);
  if (!fetched.ok) return fetched;
  if (fetched.value.kind === 'same')
    return ok({ url: href, text: last?.bundle ?? '', isSame: true });
  const { bundle, etag } = fetched.value;
  if (directory !== undefined && etag !== undefined) {
    const kept = writeLast(directory, { url: href, etag, bundle });
    // Next time it is fetched whole.
    if (!kept.ok) printError(kept.error);
  }
  return ok({ url: href, text: bundle, isSame: false });
}

/** The agent is busy, or root holds it: the next run brings the release again. */
const later: ReadonlySet<number | undefined> = new Set([409, 503]);

async function handOver(
  paths: Paths,
  { url, text, isSame }: Pulled,
  json: boolean,
): Promise<ExitCode | 'refused'> {
  const taken = await callAgent<FleetResponse>(
    paths,
    '/v1/fleet/release',
    {},
    { method: 'POST', body: text },
  );
  const isLater = !taken.ok && later.has(taken.error.status);
  if (!taken.ok && !isLater) {
    printError(`${printable(url)}: ${formatProblem(taken.error)}`);
    return taken.error.status === 422 ? 'refused' : exitCodes.failed;
  }
  if (!taken.ok) printError(taken.error);
  const shown: FleetPullJson = { url, isSame, state: taken.ok ? taken.value.state : null };
  if (json) printJson(shown);
  else if (taken.ok)
    print(
      `${printable(url)}: ${isSame ? 'nothing new' : 'fetched'}; ${printable(taken.value.state)}`,
    );
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          ['systemctl enable --now bulkhead-fleet-pull.timer', 'it runs every five minutes'],
          ['systemctl start bulkhead-fleet-pull', 'it runs now'],
        ),
      )
      .action(run(pull));
  },
};

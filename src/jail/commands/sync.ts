/**
 * `bulkhead jail sync`: brings jails up to date with the policy and the host, without touching
 * limits.
 */
import type { Command } from 'commander';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import {
  count,
  loadPolicyOrReport,
  pathsFor,
  print,
  printError,
  printJson,
  failWith,
} from '../../cli/shared/session.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { idOf, type JailKey } from '../core/jail-key.ts';
import { buildJails, jailPart } from '../io/part.ts';
import { followPolicy } from '../io/programs.ts';
import type { JailSyncJson } from './json.ts';

interface SyncOptions extends PolicyOptions {
  readonly dryRun?: boolean;
}

async function sync(options: SyncOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const loaded = await loadPolicyOrReport(command, options.policy, paths);
  if (loaded === undefined) return exitCodes.failed;
  if (options.dryRun === true) {
    const planned = jailPart.plan(loaded.policy, paths);
    if (options.json === true) printJson({ dryRun: true, planned } satisfies JailSyncJson);
    else print(planned.length === 0 ? 'Nothing to build or to remove' : planned.join('\n'));
    return exitCodes.done;
  }
  return build(loaded.policy, paths, options.json === true);
}

async function build(policy: Policy, paths: Paths, asJson: boolean): Promise<ExitCode> {
  const done = await buildJails(policy, paths);
  if (!done.ok) return failWith(done.error);
  const {
    built = [],
    kept = 0,
    dropped = [],
    problems: unbuilt = [],
    sockets = [],
  } = done.value ?? {};
  const unloaded = followPolicy(policy, paths);
  const problems = [...unbuilt, ...(unloaded === undefined ? [] : [unloaded])];
  for (const problem of [...problems, ...sockets]) printError(problem);
  if (asJson)
    printJson({
      dryRun: false,
      ...byKind(built, dropped),
      kept,
      problems,
      sockets,
    } satisfies JailSyncJson);
  else
    print(`${count(built.length, 'jail')} built, ${kept} as they were, ${dropped.length} removed`);
  return problems.length === 0 ? exitCodes.done : exitCodes.failed;
}

/** Sorts keys into uids of tenants, and sites by the uid of their tenant. */
function byKind(built: readonly JailKey[], dropped: readonly JailKey[]) {
  const uids = (keys: readonly JailKey[]) => keys.filter((key) => !isOfSite(key)).map(Number);
  const sites = (keys: readonly JailKey[]) => keys.filter(isOfSite).map(idOf);
  return {
    built: uids(built),
    dropped: uids(dropped),
    sites: { built: sites(built), dropped: sites(dropped) },
  };
}

const isOfSite = (key: JailKey) => idOf(key).site !== undefined;

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--dry-run', 'show what would be built or removed; changes nothing')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead jail sync', 'after a change of /etc/resolv.conf, without an agent'],
          ['bulkhead jail sync --dry-run', 'what would be built'],
        ),
      )
      .action(run(sync));
  },
};

/** `bulkhead release`: removes every limit and leaves the host as it was. */
import type { Command } from 'commander';
import { releaseAll } from '../../../apply/apply.ts';
import { releaseBlocker, releaseParts } from '../../../apply/parts.ts';
import { linuxHost } from '../../../host/host.ts';
import { isLocked } from '../../../sys/files/flock.ts';
import {
  ownDirectories,
  releaseSteps,
  removeOwnFiles,
  type ReleaseOptions,
  type ReleaseStep,
} from '../../../apply/release-everything.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import { agentLock, type Paths } from '../../../host/paths.ts';
import { capabilitiesOf } from '../../capability.ts';
import { canAsk, confirm } from '../../confirm.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../../shared/command.ts';
import { printError, pathsFor, print, printJson, failWith } from '../../shared/session.ts';
import type { ReleaseJson } from '../json.ts';

async function release(options: { readonly kill: boolean }, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const capabilities = capabilitiesOf(command);
  const blocker = await releaseBlocker(capabilities, paths);
  if (blocker !== undefined) {
    printError(blocker);
    return failWith('"bulkhead release --all" undoes everything in the right order');
  }
  const released = releaseAll(linuxHost(paths), options);
  if (!released.ok) {
    for (const problem of released.error) printError(problem);
    return exitCodes.failed;
  }
  const problems = await releaseParts(capabilities, paths);
  for (const problem of problems) printError(problem);
  if (problems.length > 0) return exitCodes.failed;
  if (isLocked(agentLock(paths)))
    printError(
      'the agent still runs, and applies the policy again: stop it, or run "bulkhead release --all"',
    );
  print('All limits and cgroups of Bulkhead are removed; "bulkhead apply" restores them');
  return exitCodes.done;
}

interface AllOptions {
  readonly kill: boolean;
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly keepHistory?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

function releaseOrAll(options: AllOptions, command: Command): Promise<ExitCode> {
  return options.all === true ? releaseEverything(options, command) : release(options, command);
}

async function releaseEverything(options: AllOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  if (process.geteuid?.() !== 0)
    return failWith({
      action: 'release everything',
      reason: 'only root may',
      hint: 'run it as root',
    });
  const wanted = { kill: options.kill, keepHistory: options.keepHistory === true };
  const steps = await releaseSteps(capabilitiesOf(command), paths, wanted);
  const list = [...steps.map(({ what }) => what), ...ownDirectories(paths)];
  if (list.length === 0 && options.json !== true) {
    print('There is nothing to undo');
    return exitCodes.done;
  }
  if (options.dryRun === true) {
    if (options.json === true) printJson({ dryRun: true, steps: list } satisfies ReleaseJson);
    else print(`It would undo:\n${indented(list)}`);
    return exitCodes.done;
  }
  if (options.yes !== true) {
    if (options.json === true || !canAsk()) {
      const reason = 'nobody can be asked here';
      printError({ action: 'release everything', reason, hint: 'add --yes, or --dry-run' });
      return exitCodes.usage;
    }
    print(`This undoes:\n${indented(list)}\nThe policy stays.`);
    if (!(await confirm('Go on?'))) return exitCodes.failed;
  }
  return allDone(steps, paths, wanted, options);
}

const indented = (lines: readonly string[]) => lines.map((each) => `  ${each}`).join('\n');

async function allDone(
  steps: readonly ReleaseStep[],
  paths: Paths,
  wanted: ReleaseOptions,
  { json }: AllOptions,
): Promise<ExitCode> {
  const problems: Problem[] = [];
  const done: string[] = [];
  for (const { what, run } of steps) {
    const found = await run();
    problems.push(...found);
    if (found.length > 0) continue;
    done.push(what);
    if (json !== true) print(`Undone: ${what}`);
  }
  if (problems.length === 0) problems.push(...removeOwnFiles(paths, wanted));
  if (json === true) printJson({ done, problems } satisfies ReleaseJson);
  for (const problem of problems) printError(problem);
  if (problems.length > 0)
    return failWith('not everything is undone; run the same command again to continue');
  if (json !== true)
    print(`Nothing of Bulkhead is left on this host but its policy in /etc/bulkhead`);
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--all', 'undo everything: units, web servers, PAM, guards, settings, files')
      .option('--kill', 'kill the processes that are still in the cgroups', false)
      .option('--keep-history', 'with --all: leave the history')
      .option('-y, --yes', 'with --all: do not ask')
      .option('--dry-run', 'with --all: list what would be undone; changes nothing')
      .option('--json', 'with --all: print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead release', 'remove the limits, and keep everything else'],
          ['bulkhead release --all --dry-run', 'what there is to undo'],
          ['bulkhead release --all --kill', 'before uninstalling'],
        ),
      )
      .action(run(releaseOrAll));
  },
};

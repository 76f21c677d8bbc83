/** The common parts of the guard's commands: root, the options, and the words for the result. */
import type { Command } from 'commander';
import { exitCodes, type ExitCode, type PolicyOptions } from '../../../cli/shared/command.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import { pathsFor, print, printJson, failWith } from '../../../cli/shared/session.ts';
import type { Paths } from '../../../host/paths.ts';
import { sameRule, type GuardRule } from '../../core/guard/rule.ts';
import { lsmProblem } from '../../../sys/bpf/lsm.ts';
import type { GuardChange } from '../json.ts';
import { inForce } from '../../io/guard/guard.ts';

export interface GuardOptions extends PolicyOptions {
  readonly dryRun?: boolean;
}

export const withGuardOptions = (command: Command): Command =>
  command
    .addOption(policyOption())
    .option('--dry-run', 'print what would be loaded; changes nothing')
    .option('--json', 'print as JSON');

/** Runs `act` if the caller is root. */
export const asRoot =
  <Options extends PolicyOptions>(
    act: (options: Options, paths: Paths, command: Command) => ExitCode | Promise<ExitCode>,
  ) =>
  (options: Options, command: Command): ExitCode | Promise<ExitCode> => {
    const paths = pathsFor(command);
    if (paths === undefined) return exitCodes.usage;
    if (process.geteuid?.() === 0) return act(options, paths, command);
    return failWith({
      action: 'use the symlink guard',
      reason: 'only root can load BPF programs and read them',
      hint: 'run it as root',
    });
  };

export const loadedText = {
  on: 'The symlink guard is on: it was tried, and it refuses',
  watch: 'The symlink guard watches: it reports links that it would refuse',
} as const;

/** Reports whether the guard could be loaded, as far as that can be known without loading it. */
export function rehearseGuard(rule: GuardRule, options: GuardOptions, paths: Paths): ExitCode {
  const blocker = lsmProblem(paths);
  if (blocker !== undefined) return failWith({ action: 'enable the symlink guard', ...blocker });
  const now = inForce(paths);
  const changed = now === undefined || !sameRule(now.rule, rule);
  if (options.json === true) {
    printJson({ state: rule.mode, changed, dryRun: true, rule } satisfies GuardChange);
    return exitCodes.done;
  }
  const list = (name: string, ids: readonly (number | string)[]) =>
    ids.length === 0 ? '' : `\n  ${name}: ${ids.join(', ')}`;
  const restricted = rule.subjects.map(
    ({ kind, id }) => `${kind === 'group' ? 'gid' : 'uid'} ${id}`,
  );
  print(
    `The symlink guard would ${changed ? 'be loaded' : 'stay as it is'}${list('restricted', restricted)}${list('uids whose links are followed', rule.trusted)}${list('uids to whose files links are followed', rule.targets)}`,
  );
  return exitCodes.done;
}

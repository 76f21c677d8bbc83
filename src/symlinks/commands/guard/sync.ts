/** `bulkhead symlinks guard sync`: reconciles the kernel with the policy and the saved choice. */
import type { Command } from 'commander';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { loadPolicyOrReport, print, printJson, failWith } from '../../../cli/shared/session.ts';
import type { Paths } from '../../../host/paths.ts';
import type { SymlinkRule } from '../../../policy/document.ts';
import { readGuardChoice, type GuardChoice } from '../../io/guard/choice.ts';
import { reconcileGuard } from '../../io/guard/follow.ts';
import { resolveRule } from '../../io/guard/names.ts';
import { rehearseDisable } from './disable.ts';
import type { GuardChange } from '../json.ts';
import {
  asRoot,
  loadedText,
  rehearseGuard,
  withGuardOptions,
  type GuardOptions,
} from './session.ts';

async function sync(options: GuardOptions, paths: Paths, command: Command): Promise<ExitCode> {
  const loaded = await loadPolicyOrReport(command, options.policy, paths);
  if (loaded === undefined) return exitCodes.failed;
  if (options.dryRun === true) return rehearseSync(loaded.policy.symlinks, options, paths);
  const done = reconcileGuard(loaded.policy, paths);
  if (!done.ok) return failWith(done.error);
  const state = wanted(loaded.policy.symlinks, paths);
  if (options.json === true) printJson({ state, changed: done.value } satisfies GuardChange);
  else print(state === 'off' ? 'The symlink guard is off' : loadedText[state]);
  return exitCodes.done;
}

function rehearseSync(
  rule: SymlinkRule | undefined,
  options: GuardOptions,
  paths: Paths,
): ExitCode {
  const state = wanted(rule, paths);
  if (rule === undefined || state === 'off') return rehearseDisable(options, paths);
  const resolved = resolveRule(rule, state, paths);
  return resolved.ok ? rehearseGuard(resolved.value, options, paths) : failWith(resolved.error);
}

const wanted = (rule: SymlinkRule | undefined, paths: Paths): GuardChoice =>
  rule === undefined ? 'off' : readGuardChoice(paths);

export const command: CommandModule = {
  define(command, run) {
    withGuardOptions(command)
      .addHelpText('after', examples(['bulkhead symlinks guard sync', '']))
      .action(run(asRoot(sync)));
  },
};

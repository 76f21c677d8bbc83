/** `bulkhead symlinks guard enable`. */
import type { Command } from 'commander';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { loadPolicyOrReport, print, printJson, failWith } from '../../../cli/shared/session.ts';
import type { Paths } from '../../../host/paths.ts';
import type { SymlinkRule } from '../../../policy/document.ts';
import { underLock } from '../../../sys/files/under-lock.ts';
import type { GuardMode, GuardRule } from '../../core/guard/rule.ts';
import { choiceLock, writeChoice } from '../../io/guard/choice.ts';
import { loadGuard } from '../../io/guard/guard.ts';
import { resolveRule } from '../../io/guard/names.ts';
import type { GuardChange } from '../json.ts';
import {
  asRoot,
  loadedText,
  rehearseGuard,
  withGuardOptions,
  type GuardOptions,
} from './session.ts';

interface EnableOptions extends GuardOptions {
  readonly watch?: boolean;
}

async function enable(options: EnableOptions, paths: Paths, command: Command): Promise<ExitCode> {
  const mode = options.watch === true ? 'watch' : 'on';
  const loaded = await loadPolicyOrReport(command, options.policy, paths);
  if (loaded === undefined) return exitCodes.failed;
  const rule = ruleIn(loaded.policy.symlinks, mode, options.policy, paths);
  if (!rule.ok) return failWith(rule.error);
  if (options.dryRun === true) return rehearseGuard(rule.value, options, paths);
  const done = underLock(choiceLock(paths), () => {
    const changed = loadGuard(rule.value, paths);
    const kept = changed.ok ? writeChoice(paths, mode) : changed;
    return kept.ok ? changed : kept;
  });
  if (!done.ok) return failWith(done.error);
  if (options.json === true) printJson({ state: mode, changed: done.value } satisfies GuardChange);
  else print(done.value ? loadedText[mode] : `${loadedText[mode]}; nothing had to be changed`);
  return exitCodes.done;
}

function ruleIn(
  rule: SymlinkRule | undefined,
  mode: GuardMode,
  file: string,
  paths: Paths,
): Result<GuardRule, Problem> {
  if (rule !== undefined) return resolveRule(rule, mode, paths);
  return failed({
    action: 'enable the symlink guard',
    reason: `the policy ${file} does not say whom it restricts`,
    hint: 'add <symlinks follow="owner-match" by="www-data"/> to it',
  });
}

export const command: CommandModule = {
  define(command, run) {
    withGuardOptions(command)
      .option('--watch', 'follow every link, and report those that would be refused')
      .addHelpText(
        'after',
        examples(
          ['bulkhead symlinks guard enable --watch', 'first see what it would refuse'],
          ['bulkhead symlinks guard enable', 'refuse from now on, and after each boot'],
        ),
      )
      .action(run(asRoot(enable)));
  },
};

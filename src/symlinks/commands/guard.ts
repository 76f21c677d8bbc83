/** `bulkhead symlinks guard on|watch|off|restore|status`. */
import type { Command } from 'commander';
import { type Problem } from '../../../packages/base/problem.ts';
import { type Result } from '../../../packages/base/result.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import {
  loadPolicyOrReport,
  pathsFor,
  print,
  printError,
  printJson,
} from '../../cli/shared/session.ts';
import type { Paths } from '../../host/paths.ts';
import { underLock } from '../../sys/files/under-lock.ts';
import type { SymlinkRule } from '../../policy/document.ts';
import { sameRule, type GuardMode, type GuardRule } from '../core/guard/rule.ts';
import { choiceLock, readChoice, writeChoice, type Choice } from '../io/guard/choice.ts';
import { lsmProblem } from '../../sys/bpf/lsm.ts';
import { reconcileGuard } from '../io/guard/follow.ts';
import { inForce, loadGuard, symlinkGuard } from '../io/guard/guard.ts';
import { resolveRule } from '../io/guard/names.ts';
import { guardStatus } from './guard-status.ts';

interface GuardOptions extends PolicyOptions {
  readonly dryRun?: boolean;
}

type Action = (
  options: GuardOptions,
  command: Command,
  paths: Paths,
) => ExitCode | Promise<ExitCode>;

const verbs: Readonly<Record<string, Action>> = {
  on: (options, command, paths) => load('on', options, command, paths),
  watch: (options, command, paths) => load('watch', options, command, paths),
  off: (options, _command, paths) => off(options, paths),
  restore,
  status: guardStatus,
};

function guard(
  what: string,
  options: GuardOptions,
  command: Command,
): ExitCode | Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const verb = Object.hasOwn(verbs, what) ? verbs[what] : undefined;
  if (verb === undefined) {
    const hint = `use one of ${Object.keys(verbs).join(', ')}`;
    printError({
      action: 'do',
      object: what,
      reason: 'the symlink guard has no such action',
      hint,
    });
    return exitCodes.usage;
  }
  if (process.geteuid?.() === 0) return verb(options, command, paths);
  printError({
    action: 'look after the symlink guard',
    reason: 'only root can load BPF programs and read them',
    hint: 'run it as root',
  });
  return exitCodes.failed;
}

const said = {
  on: 'The symlink guard is on: it was tried, and it refuses',
  watch: 'The symlink guard watches: it reports links that it would refuse',
} as const;

async function load(
  mode: GuardMode,
  options: GuardOptions,
  command: Command,
  paths: Paths,
): Promise<ExitCode> {
  const rule = await ruleOrReport(mode, options, command, paths);
  if (rule === undefined) return exitCodes.failed;
  if (options.dryRun === true) return rehearse(rule, options, paths);
  const done = underLock(choiceLock(paths), () => {
    const loaded = loadGuard(rule, paths);
    const kept = loaded.ok ? writeChoice(paths, mode) : loaded;
    return kept.ok ? loaded : kept;
  });
  if (!done.ok) return refuse(done.error);
  if (options.json === true) printJson({ state: mode, changed: done.value });
  else print(done.value ? said[mode] : `${said[mode]}; nothing had to be changed`);
  return exitCodes.done;
}

async function ruleOrReport(
  mode: GuardMode,
  options: GuardOptions,
  command: Command,
  paths: Paths,
): Promise<GuardRule | undefined> {
  const loaded = await loadPolicyOrReport(command, options.policy, paths);
  if (loaded === undefined) return undefined;
  const rule = ruleIn(loaded.policy.symlinks, mode, options.policy, paths);
  if (rule.ok) return rule.value;
  printError(rule.error);
  return undefined;
}

function ruleIn(
  rule: SymlinkRule | undefined,
  mode: GuardMode,
  file: string,
  paths: Paths,
): Result<GuardRule, Problem> {
  if (rule !== undefined) return resolveRule(rule, mode, paths);
  return {
    ok: false,
    error: {
      action: 'turn the symlink guard on',
      reason: `the policy ${file} does not say whom it holds`,
      hint: 'add <symlinks follow="owner-match" by="www-data"/> to it',
    },
  };
}

/** Reports whether it could be loaded, as far as that can be known without loading it. */
function rehearse(rule: GuardRule, options: GuardOptions, paths: Paths): ExitCode {
  const obstacle = lsmProblem(paths);
  if (obstacle !== undefined) return refuse({ action: 'turn the symlink guard on', ...obstacle });
  const now = inForce(paths);
  const changed = now === undefined || !sameRule(now.rule, rule);
  if (options.json === true) {
    printJson({ state: rule.mode, changed, dryRun: true, rule });
    return exitCodes.done;
  }
  const list = (name: string, ids: readonly (number | string)[]) =>
    ids.length === 0 ? '' : `\n  ${name}: ${ids.join(', ')}`;
  const held = rule.subjects.map(({ kind, id }) => `${kind === 'group' ? 'gid' : 'uid'} ${id}`);
  print(
    `The symlink guard would ${changed ? 'be loaded' : 'stay as it is'}${list('held', held)}${list('uids whose links are followed', rule.trusted)}${list('uids to whose files links are followed', rule.targets)}`,
  );
  return exitCodes.done;
}

function off(options: GuardOptions, paths: Paths): ExitCode {
  if (options.dryRun === true) {
    const isOn = inForce(paths) !== undefined;
    if (options.json === true) printJson({ state: 'off', changed: isOn, dryRun: true });
    else print(isOn ? 'The symlink guard would be turned off' : 'The symlink guard is off already');
    return exitCodes.done;
  }
  // The choice is saved first: otherwise an agent that finds the guard gone would load it again.
  const done = underLock(choiceLock(paths), () => {
    const kept = writeChoice(paths, 'off');
    return kept.ok ? symlinkGuard(paths).unload() : kept;
  });
  if (!done.ok) return refuse(done.error);
  if (options.json === true) printJson({ state: 'off', changed: done.value });
  else print(done.value ? 'The symlink guard is off' : 'The symlink guard is off already');
  return exitCodes.done;
}

async function restore(options: GuardOptions, command: Command, paths: Paths): Promise<ExitCode> {
  const loaded = await loadPolicyOrReport(command, options.policy, paths);
  if (loaded === undefined) return exitCodes.failed;
  if (options.dryRun === true) return rehearseRestore(loaded.policy.symlinks, options, paths);
  const done = reconcileGuard(loaded.policy, paths);
  if (!done.ok) return refuse(done.error);
  const state = wanted(loaded.policy.symlinks, paths);
  if (options.json === true) printJson({ state, changed: done.value });
  else print(state === 'off' ? 'The symlink guard is off' : said[state]);
  return exitCodes.done;
}

function rehearseRestore(
  rule: SymlinkRule | undefined,
  options: GuardOptions,
  paths: Paths,
): ExitCode {
  const state = wanted(rule, paths);
  if (rule === undefined || state === 'off') return off(options, paths);
  const resolved = resolveRule(rule, state, paths);
  return resolved.ok ? rehearse(resolved.value, options, paths) : refuse(resolved.error);
}

const wanted = (rule: SymlinkRule | undefined, paths: Paths): Choice =>
  rule === undefined ? 'off' : readChoice(paths);

function refuse(problem: Problem): ExitCode {
  printError(problem);
  return exitCodes.failed;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'on, watch (only report), off, status, or restore (as at boot)');
    command
      .addOption(policyOption())
      .option('--dry-run', 'print what would be loaded; changes nothing')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead symlinks guard on --dry-run', 'whom it would hold, and whether it can'],
          ['bulkhead symlinks guard watch', 'only report, to learn what would be refused'],
          ['bulkhead symlinks guard on', 'refuse from now on, and after each boot'],
          ['bulkhead symlinks guard status --json', 'whether it refuses, tried now'],
        ),
      )
      .action(run(guard));
  },
};

/** The shared steps of `enable` and `disable`: plan, show or do, report what was done. */
import type { Command } from 'commander';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { exitCodes, type ExitCode } from '../../cli/shared/command.ts';
import { printDiff } from '../../cli/shared/print-diff.ts';
import { pathsFor, print, printJson, failWith } from '../../cli/shared/session.ts';
import { applyPamChange, undoKilledChange } from '../io/apply-change.ts';
import type { PamChange } from '../io/change.ts';
import type { PamEnableJson } from './json.ts';

export interface SwitchOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

interface Words {
  readonly action: string;
  readonly done: (change: PamChange) => string;
  readonly nothing: string;
}

export function switchStep(
  options: SwitchOptions,
  command: Command,
  plan: (paths: Paths) => Result<PamChange, Problem>,
  words: Words,
): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  if (process.geteuid?.() !== 0)
    return failWith({
      action: words.action,
      reason: "only root can change the host's PAM",
      hint: 'run it as root',
    });
  const undone = options.dryRun === true ? ok(false) : undoKilledChange();
  if (!undone.ok) return failWith(undone.error);
  const planned = plan(paths);
  if (!planned.ok) return failWith(planned.error);
  const change = planned.value;
  const files = changedFiles(change);
  if (options.dryRun !== true && files.length > 0) {
    const done = applyPamChange(change);
    if (!done.ok) return failWith(done.error);
  }
  if (options.json === true) {
    printJson({
      changed: files,
      notes: change.notes,
      dryRun: options.dryRun === true,
    } satisfies PamEnableJson);
    return exitCodes.done;
  }
  if (files.length === 0) print(words.nothing);
  else if (options.dryRun === true)
    for (const each of files) printDiff(each.path, each.before, each.after);
  else print(words.done(change));
  for (const note of change.notes) print(note);
  return exitCodes.done;
}

/** Returns the changed files, without those that pam-auth-update keeps for itself. */
const changedFiles = ({ before, after }: PamChange) =>
  [...after.keys()]
    .filter((path) => !path.startsWith('/var/lib/') && before.get(path) !== after.get(path))
    .map((path) => ({ path, before: before.get(path) ?? '', after: after.get(path) ?? '' }));

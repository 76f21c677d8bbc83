/**
 * `bulkhead modules deny NAME…`: keeps modules from being loaded.
 *
 * modprobe.d stops modprobe and udev, but not insmod; the kernel itself refuses what
 * `module_blacklist=` on its command line names.
 */
import type { Command } from 'commander';
import { printable } from '../../../../packages/base/printable.ts';
import { formatProblem } from '../../../../packages/base/problem.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type Runner,
} from '../../../cli/shared/command.ts';
import { print, printError, printJson, failWith } from '../../../cli/shared/session.ts';
import { thisHost } from '../../../host/boot/boot-host.ts';
import { moduleNames } from '../../../../packages/modules/core/modprobe/deny-file.ts';
import {
  denyModules,
  type DenyOptions,
  type DenyOutcome,
  type LoadedNow,
} from '../../io/deny/deny.ts';
import type { ModulesDenyJson } from '../json.ts';

/** Returns the text for people. */
export function denyText(outcome: DenyOutcome, { boot }: DenyOptions = {}): string {
  const would = outcome.dryRun ? 'Would ' : '';
  const verb = (plain: string, past: string) => (outcome.dryRun ? plain : past);
  const files = outcome.files.map(({ path, change }) =>
    change === 'write'
      ? `${would}${verb('write', 'Wrote')} ${path}`
      : `${would}${verb('remove', 'Removed')} ${path}`,
  );
  const commands = outcome.commands.map(
    (each) => `${would}${verb('run', 'Ran')} ${each.join(' ')}`,
  );
  const nothing = files.length + commands.length === 0 ? ['Nothing to change'] : [];
  return [
    ...nothing,
    ...files,
    ...commands,
    ...bootLines(outcome, boot === true),
    ...outcome.loaded.map((each) => loadedLine(each, outcome.denied)),
    ...outcome.notes,
  ]
    .map(printable)
    .join('\n');
}

function bootLines(
  { denied, kernelParameter, bootLoaders }: DenyOutcome,
  asked: boolean,
): readonly string[] {
  if (!denied || kernelParameter === null) return [];
  if (bootLoaders.length > 0)
    return [`From the next boot, the kernel itself refuses: ${kernelParameter}`];
  return [
    'modprobe and udev no longer load it; insmod still can. Only the kernel command line blocks it:',
    `  ${kernelParameter}`,
    ...(asked ? [] : ['To install it, add --boot']),
  ];
}

function loadedLine({ name, references, users }: LoadedNow, denied: boolean): string {
  if (!denied) return `${name} is loaded`;
  const by = users.length === 0 ? '' : ` by ${users.join(', ')}`;
  if (references > 0)
    return `${name} is loaded and in use${by}; it stays loaded until the next boot`;
  return `${name} is loaded; to unload it, run: modprobe -r ${name}`;
}

export interface DenyCommandOptions extends DenyOptions {
  readonly json?: boolean;
}

/** Denies the modules, or allows them again with `undo`. */
export function changeDenied(words: string[], options: DenyCommandOptions): ExitCode {
  const names = moduleNames(words);
  if (!names.ok) {
    printError(formatProblem(names.error));
    return exitCodes.usage;
  }
  const outcome = denyModules(names.value, options, thisHost);
  if (!outcome.ok) return failWith(outcome.error);
  if (options.json === true) printJson(outcome.value satisfies ModulesDenyJson);
  else print(denyText(outcome.value, options));
  return exitCodes.done;
}

function define(command: Command, run: Runner): void {
  command
    .option('--boot', 'also add them to the kernel command line, which stops insmod too')
    .option('--dry-run', 'show what would be done; changes nothing')
    .option('--json', 'print what was done as JSON')
    .addHelpText(
      'after',
      examples(
        ['bulkhead modules deny pcspkr', 'for modprobe and udev'],
        ['bulkhead modules deny --boot lve', 'for everything, from the next boot'],
      ),
    )
    .action(run(changeDenied));
}

export const command: CommandModule = { define };

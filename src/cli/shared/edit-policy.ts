/** Shared parts of the commands that edit the policy: edit, print, apply. */
import type { Command } from 'commander';
import { editPolicy as editPolicyText, tryPolicyEdit, type EditErrors } from '../../apply/edit.ts';
import { targetOf } from '../../apply/edits/edit-target.ts';
import type { Paths } from '../../host/paths.ts';
import type { EditTarget } from '../../policy/edit.ts';
import { splitSiteName } from '../../policy/policy.ts';
import type { Result } from '../../../packages/base/result.ts';
import { exitCodes, wayOf, type ExitCode, type PolicyOptions } from './command.ts';
import { policyOption } from './policy-option.ts';
import { printDiff } from './print-diff.ts';
import { printError, pathsFor, print, showDiagnostics } from './session.ts';
import { printable } from '../../../packages/base/printable.ts';
import { policyReaderOf } from '../capability.ts';

export interface EditOptions extends PolicyOptions {
  readonly apply: boolean;
  readonly dryRun?: boolean;
}

export function withEditOptions(command: Command): Command {
  return command
    .addOption(policyOption())
    .option('--no-apply', 'write the policy without applying it')
    .option('--dry-run', 'print what would change in the file; changes nothing');
}

export type CommandEdit = (text: string, paths: Paths) => Result<string, EditErrors>;

/** Edits the policy. The message about it names `what`, for example `tenant "alice"`. */
export async function runPolicyEdit(
  options: EditOptions,
  command: Command,
  what: string,
  edit: CommandEdit,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const file = options.policy;
  const reader = await policyReaderOf(command);
  const editText = (text: string) => edit(text, paths);
  const edited =
    options.dryRun === true
      ? tryPolicyEdit(reader, file, paths, editText)
      : editPolicyText(reader, file, paths, editText, wayOf(command));
  if (!edited.ok) return printErrors(edited.error);
  const { before, after, news, unrecorded } = edited.value;
  if (unrecorded !== undefined) printError(unrecorded);
  if (before === after) print(`Nothing to change in ${file}: it is set already`);
  else if (options.dryRun === true) printDiff(file, before, after);
  else print(`Changed ${what} in ${file}`);
  if (!options.apply || options.dryRun === true) {
    showDiagnostics(news());
    return exitCodes.done;
  }
  const { applyAfterEdit } = await import('../commands/policy/apply.ts');
  return applyAfterEdit(file, command, paths);
}

function printErrors(errors: EditErrors): ExitCode {
  for (const error of errors) printError(error);
  return exitCodes.failed;
}

/** Collects an option that may be given several times. */
export const collectValues = (
  value: string,
  earlier: readonly string[] = [],
): readonly string[] => [...earlier, value];

/** The target that a command edits, and its name in the message. */
export interface NamedTarget {
  readonly what: string;
  readonly target: (paths: Paths) => EditTarget;
}

/**
 * Returns the target for a tenant named on the command line, or a site of it (`alice/shop.example`). `set`, `unset` and
 * `remove` use it.
 */
export function tenantNamed(name: string): NamedTarget {
  const [tenant, site] = splitSiteName(name);
  if (site === undefined) return named('tenant', tenant);
  return {
    what: `site "${printable(site)}" of tenant "${printable(tenant)}"`,
    target: (paths) => ({ kind: 'site', name: site, tenant: targetOf('tenant', tenant, paths) }),
  };
}

export const resellerNamed = (name: string) => named('reseller', name);

const named = (kind: 'tenant' | 'reseller', name: string) => ({
  what: `${kind} "${printable(name)}"`,
  target: (paths: Paths) => targetOf(kind, name, paths),
});

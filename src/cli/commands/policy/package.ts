/** `bulkhead package`: named sets of limits. */
import type { Command } from 'commander';
import type { LimitKey } from '../../../limits/limit.ts';
import { limitAttribute } from '../../../limits/limits.ts';
import type { LimitBlock } from '../../../policy/document.ts';
import { formatTarget, removeTarget, type EditTarget } from '../../../policy/edit.ts';
import { formatQuantity } from '../../../../packages/base/quantity.ts';
import {
  examples,
  exitCodes,
  type CommandResult,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../shared/command.ts';
import {
  runPolicyEdit,
  withEditOptions,
  type NamedTarget,
  type EditOptions,
} from '../../shared/edit-policy.ts';
import { policyOption } from '../../shared/policy-option.ts';
import { pathsFor, loadPolicyOrReport, print, printJson } from '../../shared/session.ts';
import { setAndUnset, withSetOptions } from './set-limits.ts';
import { table } from '../../shared/terminal.ts';
import type { PackageListJson } from '../json.ts';

function packageNamed(name: string): NamedTarget {
  const target: EditTarget = { kind: 'package', name };
  return { what: formatTarget(target), target: () => target };
}

const { set, unset } = setAndUnset(packageNamed);

function remove(name: string, options: EditOptions, command: Command): CommandResult {
  const { what, target } = packageNamed(name);
  return runPolicyEdit(options, command, what, (text, paths) => removeTarget(text, target(paths)));
}

async function list(options: PolicyOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const loaded = await loadPolicyOrReport(command, options.policy, paths);
  if (loaded?.document === undefined) return exitCodes.failed;
  const tenants = countByPackage(loaded.policy.tenants);
  const rows = loaded.document.packages.map((each) => ({
    name: each.name.value,
    tenants: tenants.get(each.name.value) ?? 0,
    limits: printed(each),
  }));
  if (options.json === true) {
    printJson({ packages: rows } satisfies PackageListJson);
    return exitCodes.done;
  }
  const cells = rows.map((row) => [row.name, String(row.tenants), inWords(row.limits)]);
  print(table([['PACKAGE', 'TENANTS', 'LIMITS'], ...cells], [1]));
  return exitCodes.done;
}

function countByPackage(tenants: readonly { readonly package: string | undefined }[]) {
  const counts = new Map<string, number>();
  for (const { package: name } of tenants) {
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

const printed = ({ values }: LimitBlock): Readonly<Record<LimitKey, string>> =>
  Object.fromEntries(
    [...values].map(([key, { value }]) => [key, formatQuantity(limitAttribute(key).kind, value)]),
  );

/** Returns the limits as `set` would take them. */
const inWords = (limits: Readonly<Record<LimitKey, string>>) =>
  Object.entries(limits)
    .map(([key, value]) => `${key.replace(/\.limit$/, '')}=${value}`)
    .join(' ');

export const command: CommandModule = {
  define(noun, run) {
    noun.addHelpText(
      'after',
      examples(
        ['bulkhead package set business cpu=200% memory=4GiB', ''],
        ['bulkhead package list', ''],
      ),
    );
    withSetOptions(
      noun
        .command('set <name> [limits...]')
        .description('set limits of a package; creates it if needed'),
    )
      .addHelpText('after', examples(['bulkhead package set business cpu=200% memory=4GiB', '']))
      .action(run(set));
    withEditOptions(
      noun.command('unset <name> <limits...>').description('remove limits of a package'),
    )
      .addHelpText('after', examples(['bulkhead package unset business memory.soft', '']))
      .action(run(unset));
    withEditOptions(
      noun.command('remove <name>').description('remove a package that is not in use'),
    ).action(run(remove));
    noun
      .command('list')
      .description('list packages, their tenants and their limits')
      .addOption(policyOption())
      .option('--json', 'print as JSON')
      .action(run(list));
  },
};

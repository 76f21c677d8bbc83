/** `bulkhead reseller`: groups of tenants with limits for their sum. */
import type { Command } from 'commander';
import { targetOf } from '../../../apply/edits/edit-target.ts';
import { addTenant, removeTarget } from '../../../policy/edit.ts';
import { examples, type CommandResult, type CommandModule } from '../../shared/command.ts';
import { runPolicyEdit, resellerNamed, withEditOptions } from '../../shared/edit-policy.ts';
import type { EditOptions } from '../../shared/edit-policy.ts';
import { setAndUnset, withSetOptions } from './set-limits.ts';

interface RemoveOptions extends EditOptions {
  readonly withTenants?: boolean;
}

const { set, unset } = setAndUnset(resellerNamed);

function remove(name: string, options: RemoveOptions, command: Command): CommandResult {
  const { what, target } = resellerNamed(name);
  const withTenants = options.withTenants === true;
  return runPolicyEdit(options, command, what, (text, paths) =>
    removeTarget(text, target(paths), { withTenants }),
  );
}

function add(name: string, tenant: string, options: EditOptions, command: Command): CommandResult {
  const { what, target } = resellerNamed(name);
  return runPolicyEdit(options, command, what, (text, paths) =>
    addTenant(text, target(paths), targetOf('tenant', tenant, paths)),
  );
}

export const command: CommandModule = {
  define(noun, run) {
    noun.addHelpText(
      'after',
      examples(['bulkhead reseller set acme cpu=400% package=business', '']),
    );
    withSetOptions(
      noun
        .command('set <reseller> [limits...]')
        .description('set the limits for the sum of its tenants, or the package they inherit'),
    )
      .addHelpText(
        'after',
        examples(
          ['bulkhead reseller set acme cpu="4 cores" memory=16GiB', ''],
          ['bulkhead reseller set acme package=business', 'its tenants inherit it'],
        ),
      )
      .action(run(set));
    withEditOptions(
      noun.command('unset <reseller> <limits...>').description('remove limits of a reseller'),
    ).action(run(unset));
    withEditOptions(noun.command('remove <reseller>').description('remove a reseller'))
      .option('--with-tenants', 'remove the elements of its tenants, too')
      .action(run(remove));
    withEditOptions(
      noun.command('add-tenant <reseller> <tenant>').description('add a tenant to a reseller'),
    )
      .addHelpText('after', examples(['bulkhead reseller add-tenant acme bob', '']))
      .action(run(add));
  },
};

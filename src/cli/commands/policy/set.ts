/** `bulkhead set TENANT cpu=150%`: edits the tenant, or one of its sites, in the policy, then applies it. */
import type { Command } from 'commander';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../../shared/command.ts';
import { tenantNamed } from '../../shared/edit-policy.ts';
import { isForAgent } from '../../shared/policy-option.ts';
import { printError } from '../../shared/session.ts';
import { noteIfUnserved } from './unserved-note.ts';
import { changeOwn } from './set-own.ts';
import { setIn, withSetOptions, type SetOptions } from './set-limits.ts';

async function set(
  name: string,
  words: string[],
  options: SetOptions,
  command: Command,
): Promise<ExitCode> {
  if (isForAgent(command))
    return changeOwn(name, { set: words, unset: options.unset ?? [] }, options, command);
  const note = await noteIfUnserved(name, options, command);
  const code = await setIn(tenantNamed(name), words, options, command);
  if (code === exitCodes.done && note !== undefined) printError(note);
  return code;
}

export const command: CommandModule = {
  define(command, run) {
    withSetOptions(command)
      .addHelpText(
        'after',
        examples(
          ['bulkhead set alice cpu=150% memory=2GiB', 'cpu means cpu.limit'],
          ['bulkhead set alice memory.soft=1GiB io.read=20MiB/s', ''],
          ['bulkhead set alice package=business --unset cpu', 'without a CPU limit of its own'],
          ['bulkhead set alice/shop.example cpu=50%', 'for one of her sites'],
          ['bulkhead set shop.example cpu=50%', 'as a tenant, for a site of your own'],
          ['bulkhead set bob/blog.example cpu=50%', 'as the reseller of bob'],
          ['bulkhead set 1001 processes=200 --dry-run', 'by uid; show the change only'],
        ),
      )
      .action(run(set));
  },
};

/** `bulkhead jail enter TENANT [-- CMD]`: what the tenant sees, as the tenant. */
import type { Command } from 'commander';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { printError } from '../../cli/shared/session.ts';
import { packageFile } from '../../sys/package-files.ts';
import { jailPathsOf } from '../io/jail-paths.ts';
import { readMark } from '../io/marks.ts';
import { buildJails } from '../io/part.ts';
import { findJail } from './find.ts';

const launcher = packageFile('libexec/bulkhead-exec');

async function enter(
  name: string,
  words: readonly string[],
  options: PolicyOptions,
  command: Command,
): Promise<ExitCode> {
  const found = findJail(name, 'enter the jail of', options.policy, command);
  if (typeof found === 'number') return found;
  const { paths, loaded, tenant } = found;
  if (readMark(jailPathsOf(paths), tenant.uid)?.state !== 'ready') {
    const built = await buildJails(loaded.policy, paths);
    if (!built.ok) {
      printError(built.error);
      return exitCodes.failed;
    }
    for (const problem of built.value?.problems ?? []) printError(problem);
  }
  const who = tenant.account?.user ?? `${tenant.uid}`;
  const run = words.length === 0 ? ['/bin/sh', '-c', 'exec "$SHELL" -l'] : words;
  const args = [launcher, '--instance', paths.instance, who, '--', ...run];
  // Since Node 22.15; it does not come back.
  process.execve?.(launcher, args, process.env);
  return exitCodes.failed;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .usage('[options] TENANT [-- CMD [ARG...]]')
      .addOption(policyOption())
      .addHelpText(
        'after',
        examples(
          ['bulkhead jail enter alice', "alice's shell"],
          ['bulkhead jail enter alice -- ls -la /etc', 'a command'],
        ),
      )
      .action(run(enter));
  },
};

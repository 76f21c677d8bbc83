/**
 * `bulkhead jail enter TENANT [-- CMD]`: runs a command or shell in the jail as the tenant, on a terminal that is
 * not root's.
 */
import type { Command } from 'commander';
import { examples, type CommandModule, type ExitCode } from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { printError, failWith } from '../../cli/shared/session.ts';
import { entryFile } from '../../sys/package-files.ts';
import { jailPathsOf } from '../io/jail-paths.ts';
import { readStateFile } from '../io/state-files.ts';
import { buildJails } from '../io/part.ts';
import { runOnOwnTerminal } from '../io/relay.ts';
import { findJail, siteOption, type FindOptions } from './find.ts';

const launcher = entryFile('bulkhead-exec');

async function enter(
  name: string,
  words: readonly string[],
  options: FindOptions,
  command: Command,
): Promise<ExitCode> {
  const found = await findJail(name, 'enter the jail of', options, command);
  if (typeof found === 'number') return found;
  const { paths, loaded, tenant, of, key } = found;
  if (readStateFile(jailPathsOf(paths), key)?.state !== 'ready') {
    const built = await buildJails(loaded.policy, paths);
    if (!built.ok) return failWith(built.error);
    for (const problem of built.value?.problems ?? []) printError(problem);
  }
  const who = tenant.account?.user ?? `${tenant.uid}`;
  const run = words.length === 0 ? ['/bin/sh', '-c', 'exec "$SHELL" -l'] : words;
  const site = of.site === undefined ? [] : ['--site', of.site];
  const args = ['--instance', paths.instance, ...site, who, '--', ...run];
  const ended = await runOnOwnTerminal({ program: launcher, args, uid: tenant.uid });
  if (!ended.ok) return failWith(ended.error);
  // Exits with the command's status, whatever it is.
  process.exit(ended.value);
}

export const command: CommandModule = {
  define(command, run) {
    command
      .usage('[options] TENANT [-- CMD [ARG...]]')
      .addOption(policyOption())
      .addOption(siteOption())
      .addHelpText(
        'after',
        examples(
          ['bulkhead jail enter alice', "alice's shell"],
          ['bulkhead jail enter alice -- ls -la /etc', 'a command'],
          ['bulkhead jail enter --site shop.example alice', "in a site's jail"],
        ),
      )
      .action(run(enter));
  },
};

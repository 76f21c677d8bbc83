/** `bulkhead app snippet`: lines for a vhost. */
import type { Command } from 'commander';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { print } from '../../cli/shared/session.ts';
import { socketPath } from '../core/names.ts';
import { snippet, snippetServers, type SnippetServer } from '../core/snippet.ts';
import { appSubject } from './subject.ts';

async function show(
  server: SnippetServer,
  name: string,
  options: PolicyOptions,
  command: Command,
): Promise<ExitCode> {
  const subject = await appSubject(name, options, command, 'nothing');
  if (typeof subject === 'number') return subject;
  const { app, paths } = subject;
  print(snippet[server](socketPath(paths.instance, app.id.uid, app.app)));
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, snippetServers.join(' or ')).choices([...snippetServers]);
    command
      .addOption(policyOption())
      .addHelpText(
        'after',
        examples(
          ['bulkhead app snippet nginx alice/blog', 'inside server { … }'],
          ['bulkhead app snippet apache alice/blog', 'inside <VirtualHost>'],
        ),
      )
      .action(run(show));
  },
};

/** `bulkhead init`: writes a commented first policy for this host. */
import { availableParallelism, totalmem } from 'node:os';
import type { Command } from 'commander';
import { readHostFacts, readUidRange } from '../../../host/accounts/accounts.ts';
import { administratorsOf } from '../../../host/accounts/administrators.ts';
import type { Paths } from '../../../host/paths.ts';
import { createFile } from '../../../sys/files/edited-file.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../shared/command.ts';
import { firstPolicy } from './first-policy.ts';
import { namesPolicy, policyOption } from '../../shared/policy-option.ts';
import { pathsFor, print, failWith } from '../../shared/session.ts';

interface InitOptions extends PolicyOptions {
  readonly force?: boolean;
  readonly stdout?: boolean;
}

function init(options: InitOptions, command: Command): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const text = firstPolicy(readMachine(paths));
  if (options.stdout === true) {
    print(text);
    return exitCodes.done;
  }
  const created = createFile(options.policy, text, { overwrite: options.force === true });
  if (!created.ok) return failWith(created.error);
  const file = options.policy;
  print(`Wrote ${file}; nothing is applied yet. Read it, then see what it would change:`);
  print(`  bulkhead plan${namesPolicy(command) ? ` -p ${file}` : ''}`);
  return exitCodes.done;
}

function readMachine(paths: Paths) {
  const { accounts, uidMin } = readHostFacts(paths, []);
  return {
    accounts,
    uidMin,
    uidMax: readUidRange(paths).last,
    administrators: administratorsOf(paths),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
  };
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--force', 'replace an existing policy')
      .option('--stdout', 'print it instead of writing it')
      .addHelpText(
        'after',
        examples(
          ['bulkhead init', 'write /etc/bulkhead/policy.xml'],
          ['bulkhead init --stdout', 'see it first'],
        ),
      )
      .action(run(init));
  },
};

/**
 * `bulkhead lvectl`: CloudLinux's command on this policy, for panels and scripts that call it.
 *
 * One verb is one row of a table. A verb or option without a meaning here fails with the reason;
 * nothing is faked.
 */
import type { Command } from 'commander';
import { suggestion } from '../../../policy/diagnostic.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { withLimitFlags } from '../limit-flags.ts';
import type { LvectlOptions, Verbs } from './call.ts';
import { editingVerbs } from './editing-verbs.ts';
import { failedReply, misusedReply, printReply, type LveReply } from './reply.ts';
import { readingVerbs } from './reading-verbs.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import { capabilitiesOf, policyReaderOf } from '../../../cli/capability.ts';
import { pathsFor } from '../../../cli/shared/session.ts';

const verbs: Verbs = { ...readingVerbs, ...editingVerbs };

/** CloudLinux verbs that do not exist here, and the replacement for each. */
const without: Readonly<Record<string, string>> = {
  destroy: 'limits hold while the policy has them; see "bulkhead remove"',
  'destroy-many': 'limits hold while the policy has them; see "bulkhead remove"',
  start: 'there is no kernel module to start; see "bulkhead apply"',
  limit: 'single processes are not moved; see "bulkhead exec"',
  release: 'a process cannot leave the limits of its tenant',
  freeze: 'tenants are not frozen',
  unfreeze: 'tenants are not frozen',
  'set-reseller-default':
    'tenants of a reseller inherit its package; see "bulkhead package set" and "bulkhead reseller set"',
  'set-binary': 'limits follow the user, not the program; see "bulkhead exec"',
  'del-binary': 'limits follow the user, not the program; see "bulkhead exec"',
  'list-binaries': 'limits follow the user, not the program; see "bulkhead exec"',
  'load-binaries': 'limits follow the user, not the program; see "bulkhead exec"',
  'reload-binaries': 'limits follow the user, not the program; see "bulkhead exec"',
};

async function lvectl(
  word: string | undefined,
  words: readonly string[],
  options: LvectlOptions & { readonly v?: boolean },
  command: Command,
): Promise<ExitCode> {
  const name = options.v === true ? 'version' : word;
  if (name === undefined || name === 'help') {
    command.outputHelp({ error: name === undefined });
    return name === undefined ? exitCodes.usage : exitCodes.done;
  }
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const version = command.parent?.version() ?? '';
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  const capabilities = capabilitiesOf(command);
  const reader = await policyReaderOf(command);
  const call = { words, options, paths, capabilities, reader, version };
  const outcome = await (verb?.run(call) ?? unknown(name));
  return printReply(outcome, options.json === true);
}

function unknown(name: string): LveReply {
  const why = Object.hasOwn(without, name) ? without[name] : undefined;
  if (why !== undefined)
    return failedReply([{ action: 'run', object: `lvectl ${name}`, reason: why }]);
  return misusedReply({
    reason: `There is no "lvectl ${name}"${suggestion(name, Object.keys(verbs))}`,
  });
}

function helpAfter(): string {
  const rows = Object.entries(verbs).map(([name, { words, does }]) => [`${name} ${words}`, does]);
  const width = Math.max(...rows.map(([words = '']) => words.length));
  const lines = rows.map(([words = '', does]) => `  ${words.padEnd(width)}  ${does}`);
  return `\nCommands:\n${lines.join('\n')}\n${exampleText}\n`;
}

const exampleText = examples(
  ['bulkhead lvectl list --json', ''],
  ['bulkhead lvectl set 1001 --speed=150% --pmem=512M', 'write the policy and apply it'],
  ['bulkhead lvectl set default --io=2048', '2048 KB/s, reads and writes together'],
  ['bulkhead lvectl package-set gold --speed=200%', ''],
);

export const command: CommandModule = {
  define(command, run) {
    withLimitFlags(command)
      .addOption(policyOption())
      .option('--save', 'accepted and ignored: the policy is always written')
      .option('--save-all-parameters', 'write inherited limits too')
      .option('--no-apply', 'write the policy without applying it')
      .option('--json', 'print it as JSON')
      .option('-v', 'the same as version')
      .addHelpText('after', helpAfter)
      .action(run(lvectl));
  },
};

/** The manual pages, generated from the commands themselves, so that they match them. */
import type { Command, Option } from 'commander';
import { exitCodes } from '../../src/cli/shared/command.ts';

/** Escapes a dot at the start of a line, and backslashes, which roff interprets. */
const escape = (text: string) =>
  text
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replaceAll(/^([.'])/gm, String.raw`\&$1`);

export function manualPage(program: Command): string {
  return [
    `.TH BULKHEAD 8 "" "bulkhead ${program.version() ?? ''}" "System administration"`,
    '.SH NAME',
    `bulkhead \\- ${escape(lowerFirst(program.description()))}`,
    '.SH SYNOPSIS',
    String.raw`.B bulkhead`,
    String.raw`.RI [\-\-instance " NAME" ]`,
    '.I COMMAND',
    '.RI [ OPTIONS ]',
    '.SH DESCRIPTION',
    escape(
      'The administrator writes one policy; the kernel enforces the limits of every tenant in it on CPU, memory, disk I/O, processes and disk space. Without a policy nothing is limited.',
    ),
    '.SH COMMANDS',
    ...program.commands.flatMap((each) => entriesOf(each, [])),
    ...exitStatus(),
    '.SH FILES',
    ...Object.entries(files).map(([path, text]) => `.TP\n.I ${escape(path)}\n${escape(text)}`),
    '.SH ENVIRONMENT',
    '.TP\n.B NO_COLOR\nIf set, no colours are used, even on a terminal.',
    '.TP\n.B BULKHEAD_DEBUG\nIf set, a defect is reported with its stack trace.',
    '.SH SEE ALSO',
    '.BR cgroups (7),\n.BR setpriv (1),\n.BR quotactl (2)',
    '',
  ].join('\n');
}

/** Returns the page of each command, by the name of its file: `bulkhead-set.8`. */
export const commandPages = (program: Command): ReadonlyMap<string, string> =>
  new Map(
    program.commands.map((each) => [
      `bulkhead-${each.name()}.8`,
      commandPage(each, program.version() ?? ''),
    ]),
  );

function commandPage(command: Command, version: string): string {
  const name = escape(`bulkhead-${command.name()}`);
  const options = command.options.map(optionEntry);
  const inner = command.commands.flatMap((each) => entriesOf(each, [command.name()]));
  const shown = examplesOf(command);
  return [
    `.TH ${name.toUpperCase()} 8 "" "bulkhead ${version}" "System administration"`,
    '.SH NAME',
    `${name} \\- ${escape(lowerFirst(command.description()))}`,
    '.SH SYNOPSIS',
    `.B bulkhead ${escape(command.name())}`,
    escape(command.usage()),
    ...(options.length === 0 ? [] : ['.SH OPTIONS', ...options]),
    ...(inner.length === 0 ? [] : ['.SH COMMANDS', ...inner]),
    ...(shown === '' ? [] : ['.SH EXAMPLES', '.nf', escape(shown), '.fi']),
    ...exitStatus(),
    '.SH SEE ALSO',
    '.BR bulkhead (8)',
    '',
  ].join('\n');
}

/** Returns the examples at the end of a command's help, which commander gives only to what prints them. */
function examplesOf(command: Command): string {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  return /\nExamples:\n([^]*)$/.exec(help)?.[1]?.trimEnd() ?? '';
}

const exitStatus = (): readonly string[] => [
  '.SH EXIT STATUS',
  ...Object.entries(statusTexts).map(([code, text]) => `.TP\n.B ${code}\n${escape(text)}`),
];

const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);

const statusTexts: Readonly<Record<number, string>> = {
  [exitCodes.done]: 'Done.',
  [exitCodes.failed]: 'Failed, completely or in part; the messages show what.',
  [exitCodes.usage]: 'The command line is wrong.',
  [exitCodes.found]:
    'The check found something: verify found a difference; modules scan and explain a contradicted module, or one that is not accepted; modules predict or upgrade one that is refused; modules match source that is not the module’s.',
  [exitCodes.undecided]:
    'Undecided: it is unknown whether a module meets the requirement, or whether source is its source.',
};

const files: Readonly<Record<string, string>> = {
  '/etc/bulkhead/policy.xml': 'The policy.',
  '/etc/bulkhead/fpm':
    'Which tenants have a PHP-FPM service, and what each master reads; written by "bulkhead web fpm".',
  '/run/bulkhead':
    'Locks, the socket of the agent, and what the launchers and the PAM module read of tenants: their cgroups, and the states of their jails.',
  '/var/lib/bulkhead/quotas': 'The disk quotas that were set.',
  '/var/lib/bulkhead/policy-in-force.xml': 'The last policy without errors.',
  '/var/lib/bulkhead/accounts-in-force': 'The uids of the accounts that the policy names.',
  '/var/lib/bulkhead/plan-packages.json': "The packages that the panel's plans gave accounts last.",
  '/var/lib/bulkhead/site-limits/': 'The limits that tenants and resellers set for sites.',
  '/var/lib/bulkhead/history': 'The history of the agent, and the record of changes of the policy.',
  '/var/lve/info': 'For control panels; written only after "bulkhead cloudlinux enable".',
};

/** Returns the entries of a command and its subcommands. */
function entriesOf(command: Command, parents: readonly string[]): readonly string[] {
  const names = [...parents, command.name()];
  return [
    commandEntry(command, names),
    ...command.commands.flatMap((each) => entriesOf(each, names)),
  ];
}

function commandEntry(command: Command, names: readonly string[]): string {
  return [
    '.TP',
    `.B ${escape([...names, command.usage()].join(' '))}`,
    escape(command.description()),
    ...command.options.map(optionEntry),
  ].join('\n');
}

function optionEntry(option: Option): string {
  const defaultText =
    typeof option.defaultValue === 'string' && option.defaultValue !== ''
      ? ` (default: ${option.defaultValue})`
      : '';
  return `.RS\n.TP\n.B ${escape(option.flags)}\n${escape(option.description + defaultText)}\n.RE`;
}

/** `bulkhead jail show TENANT`: what is inside, and why. */
import type { Command } from 'commander';
import { count } from '../../base/list.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { print, printJson } from '../../cli/shared/session.ts';
import { table, terminalOf } from '../../cli/shared/terminal.ts';
import { LineIndex } from '../../policy/diagnostic.ts';
import { jailOriginOf, nameOf } from '../../policy/policy.ts';
import { partsOf } from '../core/layout.ts';
import { jailPathsOf } from '../io/jail-paths.ts';
import { readMark } from '../io/marks.ts';
import { findOccupants } from '../io/occupants.ts';
import { findJail } from './find.ts';
import { stateText } from './state-text.ts';

function show(name: string, options: PolicyOptions, command: Command): ExitCode {
  const found = findJail(name, 'show the jail of', options.policy, command);
  if (typeof found === 'number') return found;
  const { paths, loaded, tenant, jail } = found;
  const { uid, account, chain } = tenant;
  const mark = readMark(jailPathsOf(paths), uid);
  const occupants = mark && findOccupants(new Map([[uid, mark]])).get(uid);
  const parts = partsOf(jail, account);
  const start = jailOriginOf(chain)?.at.start ?? 0;
  const { line } = new LineIndex(loaded.policy.text).at(start);
  const state = mark?.state ?? 'waiting';
  if (options.json === true) {
    const { file } = loaded.policy;
    const { profile } = jail;
    const { reason, filter, namespace } = mark ?? {};
    printJson({
      user: account?.user,
      uid,
      profile,
      file,
      line,
      state,
      reason,
      filter,
      namespace,
      ...occupants,
      parts,
    });
    return exitCodes.done;
  }
  const { colors } = terminalOf(process.stdout);
  const where = `${loaded.policy.file}:${line}`;
  print(`${colors.bold(nameOf(tenant))}  (uid ${uid}, profile ${jail.profile}, ${where})`);
  print(`${stateText(mark)}${occupants === undefined ? '' : `, ${inText(occupants)}`}\n`);
  const rows = parts.map(({ at, access, what }) => [at, access, what]);
  print(table([['PATH', 'ACCESS', 'WHAT'].map(colors.dim), ...rows]));
  return exitCodes.done;
}

const inText = (occupants: Readonly<Record<'inside' | 'stale' | 'outside', readonly number[]>>) => {
  const { inside, stale, outside } = occupants;
  const more = [
    ...(stale.length === 0 ? [] : [`${stale.length} in an earlier one`]),
    ...(outside.length === 0 ? [] : [`${outside.length} outside`]),
  ];
  return [`${count(inside.length, 'process', 'processes')} inside`, ...more].join(', ');
};

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(['bulkhead jail show alice', ''], ['bulkhead jail show 1001 --json', 'by uid']),
      )
      .action(run(show));
  },
};

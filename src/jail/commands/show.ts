/** `bulkhead jail show TENANT`: shows what is inside, and where the policy says so. */
import type { Command } from 'commander';
import { unreadable } from '../../../packages/base/io/read.ts';
import { count } from '../../../packages/base/list.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { failWith, print, printJson } from '../../cli/shared/session.ts';
import { table, terminalOf } from '../../cli/shared/terminal.ts';
import { linesOf, writtenPlace } from '../../policy/fleet/merged.ts';
import { jailOriginOf } from '../../policy/policy.ts';
import type { Paths } from '../../host/paths.ts';
import { databasesOf, type Jail } from '../../policy/jail.ts';
import { partsOf, type JailPart } from '../core/layout.ts';
import { findDatabases } from '../../host/databases/find.ts';
import { reportDatabases } from '../io/databases/socket.ts';
import { readUnmounted } from '../io/databases/unmounted.ts';
import { jailName } from '../io/build/protocol.ts';
import { jailPathsOf } from '../io/jail-paths.ts';
import { readStateFiles } from '../io/state-files.ts';
import { findOccupants } from '../io/occupants.ts';
import { findJail, siteOption, type FindOptions } from './find.ts';
import { formatJailState } from './state-text.ts';
import type { JailShowJson } from './json.ts';

/** Returns the sockets of database servers that were found for this jail. */
const databaseParts = (jail: Jail, paths: Paths): readonly JailPart[] =>
  reportDatabases(findDatabases(paths), readUnmounted(jailPathsOf(paths)))
    .filter(({ kind, reason }) => reason === undefined && databasesOf(jail).includes(kind))
    .map(({ kind, at }) => ({ at, access: 'write', what: `the socket of ${kind}, found here` }));

async function show(name: string, options: FindOptions, command: Command): Promise<ExitCode> {
  const found = await findJail(name, 'show the jail of', options, command);
  if (typeof found === 'number') return found;
  const { paths, loaded, tenant, of, key, chain } = found;
  const { uid, site, account, jail } = of;
  const problem = unreadable(jailPathsOf(paths).tenants);
  if (problem !== undefined) return failWith(problem);
  const stateFiles = readStateFiles(jailPathsOf(paths));
  const stateFile = stateFiles.get(key);
  const occupants = stateFile && findOccupants(stateFiles).get(key);
  const parts = [...partsOf(jail, account), ...databaseParts(jail, paths)];
  const start = jailOriginOf(chain)?.at.start ?? 0;
  const { line, file = loaded.policy.file } = writtenPlace(linesOf(loaded.policy), { start });
  const state = stateFile?.state ?? 'waiting';
  if (options.json === true) {
    const { profile, home } = jail;
    const { reason, filter, namespace } = stateFile ?? {};
    printJson({
      user: tenant.account?.user,
      uid,
      site,
      profile,
      home,
      file,
      line,
      state,
      reason,
      filter,
      namespace,
      ...occupants,
      parts,
    } satisfies JailShowJson);
    return exitCodes.done;
  }
  const { colors } = terminalOf(process.stdout);
  const where = `${file}:${line}`;
  print(`${colors.bold(jailName(of))}  (uid ${uid}, profile ${jail.profile}, ${where})`);
  print(
    `${formatJailState(stateFile)}${occupants === undefined ? '' : `, ${inText(occupants)}`}\n`,
  );
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
      .addOption(siteOption())
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead jail show alice', ''],
          ['bulkhead jail show alice --site shop.example', "a site's own jail"],
          ['bulkhead jail show 1001 --json', 'by uid'],
        ),
      )
      .action(run(show));
  },
};

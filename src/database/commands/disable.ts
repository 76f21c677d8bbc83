/** `bulkhead db disable`: takes back everything that `db enable` and the agent have changed in database servers. */
import type { Command } from 'commander';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../cli/shared/output.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { listSome } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { disableServer, planUndo } from '../io/enable.ts';
import { readOptionFile, removeOptionFile } from '../io/option-file.ts';
import { lockDatabases, readServers } from '../io/record-file.ts';
import type { DbDisableJson, DbServerChangeJson } from './json.ts';
import {
  changeServer,
  hasFailed,
  rootPaths,
  showServers,
  withServerOptions,
  type ServerOptions,
} from './servers.ts';

async function disable(options: ServerOptions, command: Command): Promise<ExitCode> {
  const { socket: named, login, dryRun = false, json } = options;
  const paths = rootPaths(command, 'disable the database share');
  if (typeof paths === 'number') return paths;
  const lock = dryRun ? ok(undefined) : lockDatabases(paths);
  if (!lock.ok) return failWith(lock.error);
  using _lock = lock.value;
  const recorded = readServers(paths);
  if (!recorded.ok) return failWith(recorded.error);
  const sockets = recorded.value
    .map(({ socket }) => socket)
    .filter((each) => named === undefined || each === named);
  const servers: DbServerChangeJson[] = [];
  for (const socket of sockets)
    servers.push(
      await changeServer(socket, login, async (connection) => {
        const target = { paths, socket, connection };
        const steps = await planUndo(target);
        if (!steps.ok) return steps;
        const done = dryRun ? ok([]) : await disableServer(target);
        if (!done.ok) return done;
        return ok({ steps: steps.value, remarks: remarksOn(done.value) });
      }),
    );
  const isLast = sockets.length === recorded.value.length && !hasFailed(servers);
  const removed = isLast ? removeFile(paths, dryRun) : ok(null);
  if (!removed.ok) return failWith(removed.error);
  const result: DbDisableJson = { servers, optionFile: removed.value, dryRun };
  if (json === true) printJson(result);
  else show(result);
  return hasFailed(servers) ? exitCodes.failed : exitCodes.done;
}

const remarksOn = (changed: readonly string[]): readonly string[] =>
  changed.length === 0
    ? []
    : [`numbers that somebody else has set since stay: ${listSome(changed.map(printable), 10)}`];

/** Removes the option file, except in a dry run. Returns its path if it is there. */
function removeFile(paths: Paths, dryRun: boolean): Result<string | null, Problem> {
  const found = readOptionFile(paths);
  if (!found.ok) return found;
  const { path, isThere } = found.value;
  if (path === undefined || !isThere) return ok(null);
  const removed = dryRun ? ok(undefined) : removeOptionFile(path);
  return removed.ok ? ok(path) : removed;
}

function show({ servers, optionFile }: DbDisableJson): void {
  showServers(servers);
  if (optionFile !== null) print(`removes ${optionFile}`);
  if (servers.length === 0 && optionFile === null)
    print('Bulkhead has no rights in database servers');
}

export const command: CommandModule = {
  define(command, run) {
    withServerOptions(command)
      .addHelpText(
        'after',
        examples(
          ['bulkhead db disable --dry-run', 'print each change'],
          ['bulkhead db disable', 'the system user bulkhead-db stays'],
        ),
      )
      .action(run(disable));
  },
};

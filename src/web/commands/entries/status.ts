/**
 * `bulkhead web entries status`: the sites at which their tenants' entries are enforced, and what is missing.
 */
import type { Command } from 'commander';
import { printable } from '../../../../packages/base/printable.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { print, printJson, failWith } from '../../../cli/shared/session.ts';
import { table, terminalOf } from '../../../cli/shared/terminal.ts';
import { entryName, isEnforced, type SiteEntries } from '../../core/entries/enforcement.ts';
import { boundsText } from '../../core/entries/limits.ts';
import type { Note } from '../../core/notes.ts';
import type { ServerEntries } from '../../io/entries/server-entries.ts';
import { distinctRows, noteLines } from '../status-text.ts';
import { planAll } from './plans.ts';
import { entriesSession, type EntriesOptions } from './session.ts';
import type { EntriesServer, WebEntriesStatusJson } from '../json.ts';

async function status(options: EntriesOptions, command: Command): Promise<ExitCode> {
  const session = await entriesSession(options, command);
  if (typeof session === 'number') return session;
  const planned = await planAll(session);
  if (!planned.ok) return failWith(planned.error);
  const servers = planned.value;
  const notes = servers.flatMap((each) => [...stateNotes(each), ...each.notes]);
  if (options.json === true)
    printJson({ servers: servers.map(serverJson), notes } satisfies WebEntriesStatusJson);
  else print(text(servers, notes));
  return servers.every(isAsWanted) ? exitCodes.done : exitCodes.found;
}

const isAsWanted = ({ enabled, changes, sites }: ServerEntries) =>
  enabled &&
  changes.length === 0 &&
  sites.every(({ state }) => state !== 'not enforced' && state !== 'partly enforced');

function stateNotes({ server, enabled, changes }: ServerEntries): readonly Note[] {
  if (!enabled) {
    const message = `Entries are not enabled at ${server}; run: bulkhead web entries enable`;
    return [{ message, about: [] }];
  }
  if (changes.length === 0) return [];
  const message = `Files of ${server} differ from the policy and the sites; run: bulkhead web entries sync`;
  return [{ message, about: changes.map(({ path }) => path) }];
}

/** Returns the state of a site as it is in force: files that are not written yet do not count. */
function stateOf({ state, site }: SiteEntries, { enabled, changes }: ServerEntries): string {
  if (!isEnforced({ state })) return state;
  const waits = site.server === 'apache' && site.entriesOf === undefined;
  if (!enabled || waits) return 'not enabled';
  return changes.length === 0 ? state : 'out of date';
}

const hasPage = ({ state, site }: SiteEntries) =>
  site.vhost?.page === true || (site.server === 'apache' && isEnforced({ state }));

const serverJson = (server: ServerEntries): EntriesServer => ({
  server: server.server,
  enabled: server.enabled,
  upToDate: server.enabled && server.changes.length === 0,
  sites: server.sites.map((each) => ({
    names: each.site.names,
    file: each.site.file,
    line: each.site.line,
    owner: each.site.owner ?? null,
    limit: each.bounds.find(({ kind }) => kind === 'tenant')?.limit ?? null,
    limits: each.bounds,
    state: stateOf(each, server),
    ...(each.reason === undefined ? {} : { reason: each.reason }),
    page: hasPage(each),
  })),
});

function text(servers: readonly ServerEntries[], notes: readonly Note[]): string {
  const rows = servers.flatMap((server) =>
    server.sites
      .filter(({ state }) => state !== 'nothing to count')
      .map((each) => [
        printable(entryName(each)),
        printable(each.site.owner?.name ?? '-'),
        each.site.server,
        boundsText(each.bounds),
        stateOf(each, server),
        hasPage(each) ? 'yes' : 'no',
      ]),
  );
  const sorted = rows.toSorted(([a = ''], [b = '']) => (a < b ? -1 : a > b ? 1 : 0));
  const header = ['SITE', 'OWNER', 'SERVER', 'ENTRIES', 'STATE', 'PAGE'];
  const shown =
    rows.length === 0
      ? 'No site runs anything for a tenant with a limit on entries'
      : table([header, ...distinctRows(sorted)], [3]);
  const lines = noteLines(notes, terminalOf(process.stdout).columns);
  return [shown, ...(lines.length === 0 ? [] : [lines.join('\n')])].join('\n\n');
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead web entries status', 'every site with a limit, and what to do'],
          ['bulkhead web entries status --json', 'for a program'],
        ),
      )
      .action(run(status));
  },
};

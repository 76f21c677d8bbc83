/** `bulkhead web entries status`: which sites are held to the entries of their tenants, and what is missing. */
import type { Command } from 'commander';
import { printable } from '../../../base/printable.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { print, printJson } from '../../../cli/shared/session.ts';
import { table, terminalOf } from '../../../cli/shared/terminal.ts';
import { entryName, type SiteEntries } from '../../core/entries/holding.ts';
import type { Note } from '../../core/notes.ts';
import { planNginx, type NginxEntries } from '../../io/entries/nginx.ts';
import { distinctRows, noteLines } from '../status-text.ts';
import { notesAbout } from './carry-out.ts';
import { entriesSession, refuse, type EntriesOptions } from './session.ts';

async function status(options: EntriesOptions, command: Command): Promise<ExitCode> {
  const session = await entriesSession(options, command);
  if (typeof session === 'number') return session;
  const { nginx } = session.programs;
  if (nginx === undefined) return exitCodes.done;
  const planned = await planNginx(nginx, session.survey, session);
  if (!planned.ok) return refuse(planned.error);
  const entries = planned.value;
  const notes = [...stateNotes(entries), ...notesAbout(entries)];
  if (options.json === true) printJson(json(entries, notes));
  else print(text(entries, notes));
  return isAsWanted(entries) ? exitCodes.done : exitCodes.found;
}

const isAsWanted = ({ enabled, changes, holding }: NginxEntries) =>
  enabled && changes.length === 0 && holding.sites.every(({ state }) => state !== 'not held');

function stateNotes({ enabled, changes }: NginxEntries): readonly Note[] {
  if (!enabled)
    return [{ message: 'Entries are not enabled; run: bulkhead web entries enable', about: [] }];
  if (changes.length === 0) return [];
  const message = 'Files differ from the policy and the sites; run: bulkhead web entries refresh';
  return [{ message, about: changes.map(({ path }) => path) }];
}

const stateOf = ({ state }: SiteEntries, enabled: boolean) =>
  state === 'held' && !enabled ? 'not enabled' : state;

const json = ({ enabled, changes, holding }: NginxEntries, notes: readonly Note[]) => ({
  enabled,
  upToDate: enabled && changes.length === 0,
  sites: holding.sites.map((each) => ({
    names: each.site.names,
    server: each.site.server,
    file: each.site.file,
    line: each.site.line,
    owner: each.site.owner ?? null,
    limit: each.limit ?? null,
    state: stateOf(each, enabled),
    ...(each.reason === undefined ? {} : { reason: each.reason }),
    page: each.site.vhost?.page === true,
  })),
  notes,
});

function text({ enabled, holding: { sites } }: NginxEntries, notes: readonly Note[]): string {
  const limited = sites.filter(({ state }) => state !== 'nothing to count');
  const rows = limited.map((each) => [
    printable(entryName(each)),
    printable(each.site.owner?.name ?? '-'),
    each.site.server,
    String(each.limit ?? '-'),
    stateOf(each, enabled),
    each.site.vhost?.page === true ? 'yes' : 'no',
  ]);
  const sorted = rows.toSorted(([a = ''], [b = '']) => (a < b ? -1 : a > b ? 1 : 0));
  const header = ['SITE', 'OWNER', 'SERVER', 'ENTRIES', 'STATE', 'PAGE'];
  const shown =
    rows.length === 0
      ? 'No site of nginx runs anything for a tenant with a limit on entries'
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

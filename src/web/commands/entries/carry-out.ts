/** Carries out a plan at each web server, or shows it, and says what has become of it. */
import type { Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import { exitCodes, type ExitCode } from '../../../cli/shared/command.ts';
import { printDiff } from '../../../cli/shared/print-diff.ts';
import { count, print, printJson } from '../../../cli/shared/session.ts';
import { terminalOf } from '../../../cli/shared/terminal.ts';
import { entriesNotes } from '../../core/entries/notes.ts';
import type { Note } from '../../core/notes.ts';
import {
  applyNginx,
  siteFilePath,
  type NginxEntries,
  type Outcome,
} from '../../io/entries/nginx.ts';
import type { NginxProgram } from '../../io/servers.ts';
import { noteLines } from '../status-text.ts';
import { refuse, type EntriesOptions, type EntriesSession } from './session.ts';

/** What the agent is to know afterwards. */
type Afterwards = (session: EntriesSession, entries: NginxEntries) => Result<void, Problem>;

type Plan = (nginx: NginxProgram) => Promise<Result<NginxEntries, Problem>>;

export async function carryOut(
  session: EntriesSession,
  options: EntriesOptions,
  plan: Plan,
  afterwards: Afterwards,
): Promise<ExitCode> {
  const { nginx } = session.programs;
  if (nginx === undefined) return exitCodes.done;
  const planned = await plan(nginx);
  if (!planned.ok) return refuse(planned.error);
  const entries = planned.value;
  const outcome = options.dryRun === true ? undefined : await applyNginx(entries);
  if (outcome?.ok === false) return refuse(outcome.error);
  const told = outcome === undefined ? ok(undefined) : afterwards(session, entries);
  if (!told.ok) return refuse(told.error);
  report(entries, outcome?.value, options);
  return exitCodes.done;
}

function report(
  entries: NginxEntries,
  outcome: Outcome | undefined,
  { json }: EntriesOptions,
): void {
  const { changes, holding } = entries;
  const notes = holding.held.length === 0 ? [] : notesAbout(entries);
  if (json === true) {
    const files = changes.map(({ path, before, text }) => ({ path, before, after: text }));
    printJson({ outcome: outcome ?? 'dry run', changes: files, held: holding.held, notes });
    return;
  }
  if (outcome === undefined) {
    for (const { path, before = '', text = '' } of changes) printDiff(path, before, text);
    if (changes.length === 0) print('Nothing to change');
  } else print(outcomeText(entries, outcome));
  if (notes.length > 0) print(noteLines(notes, terminalOf(process.stdout).columns).join('\n'));
}

export const notesAbout = ({ holding, http, nginx }: NginxEntries): readonly Note[] =>
  entriesNotes(holding, http, (name) => siteFilePath(nginx, name));

const outcomes: Readonly<Record<Outcome, string>> = {
  unchanged: 'nothing had to be changed',
  reloaded: 'it has been reloaded',
  'not running': 'it does not run, and follows when it starts',
};

function outcomeText({ holding: { held }, changes }: NginxEntries, outcome: Outcome): string {
  const writes = changes.length === 0 || changes.some(({ text }) => text !== undefined);
  const tenants = new Set(held.map(({ uid }) => uid)).size;
  const what = writes
    ? `${count(held.length, 'site')} of ${count(tenants, 'tenant')} ${held.length === 1 ? 'is' : 'are'} held`
    : 'entries are not held any more';
  return `nginx: ${what}; ${outcomes[outcome]}`;
}

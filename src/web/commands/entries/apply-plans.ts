/** Applies a plan at each web server, or shows it, and prints the result. */
import type { Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import { exitCodes, type ExitCode } from '../../../cli/shared/command.ts';
import { printDiff } from '../../../cli/shared/print-diff.ts';
import { count, print, printJson, failWith } from '../../../cli/shared/session.ts';
import { terminalOf } from '../../../cli/shared/terminal.ts';
import type { Paths } from '../../../host/paths.ts';
import type { ReloadResult, ServerEntries } from '../../io/entries/server-entries.ts';
import { noteLines } from '../status-text.ts';
import { type EntriesOptions } from './session.ts';
import type { EntriesChange, WebEntriesEnableJson } from '../json.ts';

interface Done {
  readonly entries: ServerEntries;
  /** Undefined if the plan was only shown. */
  readonly outcome: ReloadResult | undefined;
  /** The entries as the server has them afterwards. */
  readonly now?: ServerEntries;
}

const nowOf = ({ entries }: Done, now: readonly ServerEntries[]) =>
  now.find(({ server }) => server === entries.server) ?? entries;

/**
 * Applies plans, each as a transaction of its own. Nothing is written anywhere unless every server could be
 * asked.
 */
export async function applyPlans(
  planned: Result<readonly ServerEntries[], Problem>,
  options: EntriesOptions,
  paths: Paths,
  afterwards: () => Promise<Result<readonly ServerEntries[], Problem>>,
): Promise<ExitCode> {
  if (!planned.ok) return failWith(planned.error);
  const run = { paths, undone: options.undone ?? new Set() };
  const all: Done[] = [];
  for (const entries of planned.value) {
    const outcome = options.dryRun === true ? undefined : await entries.apply(run);
    if (outcome?.ok === false) {
      report(all, options);
      return failWith(outcome.error);
    }
    all.push({ entries, outcome: outcome?.value });
  }
  if (options.dryRun === true) {
    report(all, options);
    return exitCodes.done;
  }
  const now = await afterwards();
  if (!now.ok) return failWith(now.error);
  report(
    all.map((each) => ({ ...each, now: nowOf(each, now.value) })),
    options,
  );
  return exitCodes.done;
}

function report(all: readonly Done[], { json }: EntriesOptions): void {
  if (json === true) printJson({ servers: all.map(serverJson) } satisfies WebEntriesEnableJson);
  else for (const each of all) print(serverText(each));
}

const serverJson = ({ entries, outcome, now = entries }: Done): EntriesChange => ({
  server: entries.server,
  outcome: outcome ?? 'dry run',
  changes: entries.changes.map(({ path, before, after }) => ({ path, before, after })),
  enforced: now.enforced.map(({ name, uid }) => ({ name, uid })),
  notes: now.notes,
});

function serverText({ entries, outcome, now = entries }: Done): string {
  if (outcome === undefined) {
    for (const { path, before = '', after = '' } of entries.changes) printDiff(path, before, after);
  }
  const lines = noteLines(now.notes, terminalOf(process.stdout).columns);
  return [outcomeText(entries, now.enforced, outcome), ...lines].join('\n');
}

const outcomes: Readonly<Record<ReloadResult, string>> = {
  unchanged: 'nothing had to be changed',
  reloaded: 'it has been reloaded',
  'not running': 'it does not run, and follows when it starts',
};

function outcomeText(
  { server, changes }: ServerEntries,
  enforced: ServerEntries['enforced'],
  outcome?: ReloadResult,
): string {
  if (outcome === undefined) return `${server}: ${count(changes.length, 'file')} would change`;
  const writes = changes.length === 0 || changes.some(({ after }) => after !== undefined);
  const tenants = count(new Set(enforced.map(({ uid }) => uid)).size, 'tenant');
  const sites = `entries are enforced for ${count(enforced.length, 'site')} of ${tenants}`;
  return `${server}: ${writes ? sites : 'entries are no longer enforced'}; ${outcomes[outcome]}`;
}

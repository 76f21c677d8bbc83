/** Entries at one web server: the wanted files, and the steps of writing them, which all servers share. */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { ReadProblem } from '../../core/directive.ts';
import type { SiteEntries } from '../../core/entries/holding.ts';
import type { Note } from '../../core/notes.ts';
import type { Survey } from '../survey.ts';
import { revertChanges, writeChanges, type FileChange } from './file-changes.ts';

export type Outcome = 'unchanged' | 'reloaded' | 'not running';

export interface ServerEntries {
  readonly server: 'nginx' | 'apache2';
  /** Whether its file exists. */
  readonly enabled: boolean;
  readonly sites: readonly SiteEntries[];
  readonly held: readonly { readonly name: string; readonly uid: number }[];
  readonly changes: readonly FileChange[];
  readonly notes: readonly Note[];
  readonly apply: () => Promise<Result<Outcome, Problem>>;
}

/** Checks that the server accepts its configuration: otherwise nothing is added to it. */
export function serverAccepted(
  { servers }: Pick<Survey, 'servers'>,
  server: ServerEntries['server'],
): Result<void, Problem> {
  const [problem] = servers.find(({ name }) => name === server)?.problems ?? [];
  if (problem === undefined) return ok(undefined);
  const hint = 'repair it first; nothing was changed';
  return failed({
    action: `use the configuration of ${server}`,
    reason: problemText(problem),
    hint,
  });
}

export function problemText({ file, line, message }: ReadProblem): string {
  const place = [file, line].filter((each) => each !== undefined).join(':');
  return place === '' ? message : `${place}: ${message}`;
}

interface Steps {
  /** Returns why the server does not accept the files as they are written now. */
  readonly problem: () => Promise<Problem | undefined>;
  readonly reload: () => Promise<Result<Outcome, Problem>>;
}

/** Writes changes, and has the server accept and load them. After a failure everything is as before. */
export async function applyChanges(
  changes: readonly FileChange[],
  { problem, reload }: Steps,
): Promise<Result<Outcome, Problem>> {
  if (changes.length === 0) return ok('unchanged');
  const written = writeChanges(changes);
  if (!written.ok) return written;
  const found = await problem();
  if (found !== undefined) return undone(changes, found);
  const reloaded = await reload();
  return reloaded.ok ? reloaded : undone(changes, reloaded.error);
}

function undone(changes: readonly FileChange[], problem: Problem): Result<never, Problem> {
  const reverted = revertChanges(changes);
  return failed(reverted.ok ? { ...problem, hint: 'everything is as before' } : reverted.error);
}

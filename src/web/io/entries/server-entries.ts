/** Entries at one web server: the wanted files, and the steps of writing them, which all servers share. */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import type { ReadProblem } from '../../core/directive.ts';
import type { SiteEntries } from '../../core/entries/enforcement.ts';
import type { Note } from '../../core/notes.ts';
import type { Survey } from '../survey.ts';
import {
  changeFiles,
  isUnfinished,
  undoUnfinished,
  type FileChange,
} from '../../../sys/files/file-transaction.ts';

export type ReloadResult = 'unchanged' | 'reloaded' | 'not running';

export interface ServerEntries {
  readonly server: 'nginx' | 'apache2';
  /** Whether its file exists. */
  readonly enabled: boolean;
  readonly sites: readonly SiteEntries[];
  /** The sites at which limits are enforced. */
  readonly enforced: readonly {
    /** The name of the site. */
    readonly name: string;
    readonly uid: number;
  }[];
  readonly changes: readonly FileChange[];
  readonly notes: readonly Note[];
  readonly apply: (run: Run) => Promise<Result<ReloadResult, Problem>>;
}

/** One run of a command. */
export interface Run {
  readonly paths: Pick<Paths, 'state'>;
  /** The servers at which this run has undone what a killed run had begun; they may still use its files. */
  readonly undone: ReadonlySet<ServerEntries['server']>;
}

const journalOf = ({ state }: Run['paths'], server: ServerEntries['server']) =>
  `${state}/web-entries-${server}.journal`;

const servers = ['nginx', 'apache2'] as const;

/** Whether a killed run has left something that `undoKilledEntries` undoes. */
export const hasKilledEntries = (paths: Run['paths']): boolean =>
  servers.some((each) => isUnfinished(journalOf(paths, each)));

/** Undoes what killed runs have begun; returns the servers concerned. The caller has the lock. */
export function undoKilledEntries(paths: Run['paths']): Result<Run['undone'], Problem> {
  const found = new Set<ServerEntries['server']>();
  for (const server of servers) {
    const undone = undoUnfinished(journalOf(paths, server));
    if (!undone.ok) return undone;
    if (undone.value) found.add(server);
  }
  return ok(found);
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
  readonly reload: () => Promise<Result<ReloadResult, Problem>>;
}

/** Writes changes, and has the server accept and load them. After a failure everything is as before. */
export async function applyServerChanges(
  { server, changes }: Pick<ServerEntries, 'server' | 'changes'>,
  { paths, undone }: Run,
  { problem, reload }: Steps,
): Promise<Result<ReloadResult, Problem>> {
  const accept = async (): Promise<Result<ReloadResult, Problem>> => {
    const found = await problem();
    const reloaded = found === undefined ? await reload() : failed(found);
    if (reloaded.ok) return reloaded;
    return failed({ ...reloaded.error, hint: 'everything is as before' });
  };
  if (changes.length > 0) return changeFiles(journalOf(paths, server), changes, accept);
  return undone.has(server) ? accept() : ok('unchanged');
}

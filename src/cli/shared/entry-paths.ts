/**
 * The entry paths of this server: how each is covered, and by which one processes came, as the engine and its
 * capabilities know.
 */
import type { PlacementStatus } from '../../agent/api/status-response.ts';
import type { Capability } from '../capability.ts';
import { readEntryPathFacts } from '../../host/entry-paths/read-entry-paths.ts';
import { entryPathOfProcess } from '../../host/entry-paths/entry-path-of-process.ts';
import {
  isOutsideJail,
  reportEntryPaths,
  type Enforced,
  type EntryPathContext,
  type EntryPathName,
  type EntryPathReport,
} from '../../host/entry-paths/entry-paths.ts';
import { table, terminalOf } from './terminal.ts';

/** Surveys the entry paths. `quick` skips capabilities that are slow because they ask other programs. */
export async function surveyEntryPaths(
  capabilities: readonly Capability[],
  context: EntryPathContext,
  how: 'quick' | 'thorough',
): Promise<readonly EntryPathReport[]> {
  const asked = capabilities.flatMap(({ entryPaths }) =>
    entryPaths === undefined || (how === 'quick' && entryPaths.slow === true) ? [] : [entryPaths],
  );
  const known = await Promise.all(asked.map(async ({ load }) => (await load())(context)));
  return reportEntryPaths(readEntryPathFacts(context.paths, known), how === 'thorough');
}

type Paint = (text: string) => string;

/** Returns a table, and below it what to do, for several entry paths at once. */
export function entryPathsText(reports: readonly EntryPathReport[]): string {
  const { colors } = terminalOf(process.stdout);
  const paint: Readonly<Record<Enforced, Paint>> = {
    'at source': colors.green,
    'at login': colors.green,
    caught: colors.yellow,
    'not covered': colors.red,
  };
  const inside = reports.some(({ jail }) => jail !== undefined);
  const jailText = ({ jail }: EntryPathReport) => {
    if (jail === undefined) return '-';
    if (jail.refused === true) return colors.yellow('refused');
    if (jail.unknown === true) return colors.yellow('unknown');
    return jail.entered ? colors.green('entered') : colors.red('outside');
  };
  const rows = reports.map((each) => [
    each.entryPath,
    each.enforced === undefined ? '-' : paint[each.enforced](each.enforced),
    ...(inside ? [jailText(each)] : []),
    each.jail?.reason ?? each.reason,
  ]);
  const header = ['ENTRY PATH', 'ENFORCED', ...(inside ? ['JAIL'] : []), 'BECAUSE'].map(colors.dim);
  const improvements = Map.groupBy(reports, ({ improve }) => improve);
  const notes = [...improvements].flatMap(([improve, of]) =>
    improve === undefined
      ? []
      : [`To improve ${of.map(({ entryPath }) => entryPath).join(', ')}: ${improve}`],
  );
  return [table([header, ...rows]), ...notes].join('\n');
}

/** Returns one line: `Entry paths: at login: ssh, su; caught: cron` */
export function entryPathsLine(reports: readonly EntryPathReport[]): string {
  const enforced = Map.groupBy(
    reports.filter((each) => each.enforced !== undefined),
    (each) => each.enforced,
  );
  const parts = [...enforced].map(
    ([how, of]) => `${how}: ${of.map(({ entryPath }) => entryPath).join(', ')}`,
  );
  const outside = reports
    .filter(({ jail }) => isOutsideJail(jail))
    .map(({ entryPath }) => entryPath);
  const all = outside.length === 0 ? parts : [...parts, `outside the jail: ${outside.join(', ')}`];
  return all.length === 0 ? '' : `Entry paths: ${all.join('; ')}; see bulkhead doctor`;
}

type Outside = PlacementStatus['outside'][number];

/** The entry path; absent if it is unknown: a process may have ended since it was seen. */
export interface CameOutside extends Outside {
  /** The entry path by which it started; absent if unknown. */
  readonly entryPath?: EntryPathName;
  /** The origin within the entry path: `pool shop`. */
  readonly origin?: string;
}

export async function withOrigins(
  capabilities: readonly Capability[],
  outside: readonly Outside[],
): Promise<readonly CameOutside[]> {
  const came = outside.map((each) => ({ ...each, entryPath: entryPathOfProcess(each) }));
  const origins = new Map<number, string>();
  for (const { origins: known } of capabilities) {
    const asked = came.filter(
      ({ entryPath }) => known !== undefined && entryPath === known.entryPath,
    );
    if (known === undefined || asked.length === 0) continue;
    for (const [pid, origin] of await (await known.load())(asked)) origins.set(pid, origin);
  }
  return came.map(({ entryPath, ...each }) => {
    const origin = origins.get(each.pid);
    return {
      ...each,
      ...(entryPath === undefined ? {} : { entryPath }),
      ...(origin === undefined ? {} : { origin }),
    };
  });
}

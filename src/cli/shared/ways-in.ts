/**
 * The entry paths of this server: how each is covered, and by which one processes came, as the engine and its
 * capabilities know.
 */
import type { PlacementStatus } from '../../agent/api/api.ts';
import { readWayFacts } from '../../host/ways/read-ways.ts';
import { wayOfProcess } from '../../host/ways/way-of-process.ts';
import {
  reportWays,
  type Held,
  type WayContext,
  type WayName,
  type WayReport,
} from '../../host/ways/ways-in.ts';
import type { Capability } from '../capability.ts';
import { table, terminalOf } from './terminal.ts';

/** Surveys the entry paths. `quick` skips capabilities that are slow because they ask other programs. */
export async function surveyWays(
  capabilities: readonly Capability[],
  context: WayContext,
  how: 'quick' | 'thorough',
): Promise<readonly WayReport[]> {
  const asked = capabilities.flatMap(({ waysIn }) =>
    waysIn === undefined || (how === 'quick' && waysIn.slow === true) ? [] : [waysIn],
  );
  const known = await Promise.all(asked.map(async ({ load }) => (await load())(context)));
  return reportWays(readWayFacts(context.paths, known), how === 'thorough');
}

type Paint = (text: string) => string;

/** Returns a table, and below it what to do, for several entry paths at once. */
export function waysText(ways: readonly WayReport[]): string {
  const { colors } = terminalOf(process.stdout);
  const paint: Readonly<Record<Held, Paint>> = {
    'at source': colors.green,
    'at login': colors.green,
    caught: colors.yellow,
    'not covered': colors.red,
  };
  const inside = ways.some(({ jail }) => jail !== undefined);
  const jailText = ({ jail }: WayReport) => {
    if (jail === undefined) return '-';
    return jail.entered ? colors.green('entered') : colors.red('outside');
  };
  const rows = ways.map((each) => [
    each.way,
    each.held === undefined ? '-' : paint[each.held](each.held),
    ...(inside ? [jailText(each)] : []),
    each.jail?.reason ?? each.reason,
  ]);
  const header = ['WAY IN', 'HELD', ...(inside ? ['JAIL'] : []), 'BECAUSE'].map(colors.dim);
  const improvements = Map.groupBy(ways, ({ improve }) => improve);
  const notes = [...improvements].flatMap(([improve, of]) =>
    improve === undefined ? [] : [`To improve ${of.map(({ way }) => way).join(', ')}: ${improve}`],
  );
  return [table([header, ...rows]), ...notes].join('\n');
}

/** Returns one line: `Ways in: at login: ssh, su; caught: cron` */
export function waysLine(ways: readonly WayReport[]): string {
  const held = Map.groupBy(
    ways.filter((each) => each.held !== undefined),
    (each) => each.held,
  );
  const parts = [...held].map(([how, of]) => `${how}: ${of.map(({ way }) => way).join(', ')}`);
  const outside = ways.filter(({ jail }) => jail?.entered === false).map(({ way }) => way);
  const all =
    outside.length === 0 ? parts : [...parts, `outside of the jail: ${outside.join(', ')}`];
  return all.length === 0 ? '' : `Ways in: ${all.join('; ')}; see bulkhead doctor`;
}

type Outside = PlacementStatus['outside'][number];

/** The entry path; absent if it is unknown: a process may have ended since it was seen. */
export interface CameOutside extends Outside {
  readonly way?: WayName;
  /** The origin within the entry path: `pool shop`. */
  readonly origin?: string;
}

export async function withOrigins(
  capabilities: readonly Capability[],
  outside: readonly Outside[],
): Promise<readonly CameOutside[]> {
  const came = outside.map((each) => ({ ...each, way: wayOfProcess(each) }));
  const origins = new Map<number, string>();
  for (const { origins: known } of capabilities) {
    const asked = came.filter(({ way }) => known !== undefined && way === known.way);
    if (known === undefined || asked.length === 0) continue;
    for (const [pid, origin] of await (await known.load())(asked)) origins.set(pid, origin);
  }
  return came.map(({ way, ...each }) => {
    const origin = origins.get(each.pid);
    return {
      ...each,
      ...(way === undefined ? {} : { way }),
      ...(origin === undefined ? {} : { origin }),
    };
  });
}

/**
 * The access logs by which the bytes are counted that web servers send for each tenant: each request is in exactly one
 * of them, or it is known why it is in none.
 */
import type { SiteView } from '../overview.ts';
import type { ByteField } from './log-format.ts';
import type { AccessLog } from './site-logs.ts';

export interface CountedLog extends ByteField {
  readonly path: string;
}

/** The logs of one tenant. */
export interface CountedLogs {
  readonly logs: readonly CountedLog[];
  /** Why its count is too low; empty if every request is in a log. */
  readonly gaps: readonly string[];
}

type LoggedSite = Pick<SiteView, 'server' | 'names' | 'handlers' | 'logs'> & {
  readonly owner: { readonly uid: number } | undefined;
};

/** Reasons that are told for one tenant, and logs that are followed for it. */
const gapsMax = 5;
export const logsMax = 2000;

export function countedLogs(sites: readonly LoggedSite[]): Map<number, CountedLogs> {
  const users = usersOf(sites);
  const passed = namesBehindNginx(sites);
  const found = new Map<number, { logs: Map<string, CountedLog>; gaps: Set<string> }>();
  for (const site of sites) {
    if (site.owner === undefined) continue;
    const { uid } = site.owner;
    const of = found.get(uid) ?? { logs: new Map<string, CountedLog>(), gaps: new Set<string>() };
    found.set(uid, of);
    const { logs, gaps } = logsOfSite(site, users, passed);
    for (const log of logs) addLog(of, log);
    for (const gap of gaps) of.gaps.add(gap);
  }
  return new Map(
    [...found].map(([uid, { logs, gaps }]) => [
      uid,
      { logs: [...logs.values()].slice(0, logsMax), gaps: shown(gaps, logs.size) },
    ]),
  );
}

/** Adds the logs that are known already, for a configuration that could not be read whole now. */
export function withKnownLogs(
  found: ReadonlyMap<number, CountedLogs>,
  known: ReadonlyMap<number, CountedLogs>,
): Map<number, CountedLogs> {
  const uids = new Set([...known.keys(), ...found.keys()]);
  return new Map(
    [...uids].map((uid) => {
      const now = found.get(uid) ?? { logs: [], gaps: [] };
      const paths = new Set(now.logs.map(({ path }) => path));
      const others = (known.get(uid)?.logs ?? []).filter(({ path }) => !paths.has(path));
      const logs = [...now.logs, ...others].slice(0, logsMax);
      return [uid, { logs, gaps: [...new Set([notWhole, ...now.gaps])].slice(0, gapsMax) }];
    }),
  );
}

const notWhole = 'not all of the configuration of web servers could be read';

function shown(gaps: ReadonlySet<string>, logs: number): readonly string[] {
  const all = [...gaps, ...(logs > logsMax ? [`it has more than ${logsMax} access logs`] : [])];
  if (all.length <= gapsMax) return all;
  return [...all.slice(0, gapsMax - 1), `${all.length - gapsMax + 1} more reasons of this kind`];
}

function addLog(
  { logs, gaps }: { readonly logs: Map<string, CountedLog>; readonly gaps: Set<string> },
  log: CountedLog,
): void {
  const known = logs.get(log.path);
  if (known !== undefined && known.pattern !== log.pattern)
    gaps.add(`${log.path} has lines of two formats`);
  logs.set(log.path, known ?? log);
}

function logsOfSite(
  site: LoggedSite,
  users: ReadonlyMap<string, ReadonlySet<number>>,
  passed: ReadonlySet<string>,
): { readonly logs: readonly CountedLog[]; readonly gaps: readonly string[] } {
  const [name = 'a site without a name'] = site.names;
  const behind = site.names.filter((each) => passed.has(each.toLowerCase()));
  if (site.server === 'apache' && behind.length > 0)
    return {
      logs: [],
      gaps:
        behind.length === site.names.length
          ? []
          : [`nginx passes on some names of ${name}, and Apache serves the others`],
    };
  if (site.logs === undefined)
    return { logs: [], gaps: [`logs of ${site.server} are not read: ${name}`] };
  const logs = new Map<string, CountedLog>();
  const gaps: string[] = [];
  const { levels } = site.logs;
  for (const level of levels) {
    if (level.filter(({ path }) => logs.has(path)).length === 1) continue;
    const found = level.length === 0 ? undefined : pick(level, levels, users, logs);
    if (found === undefined) gaps.push(gapOf(name, level, users));
    else logs.set(found.path, found);
  }
  return { logs: [...logs.values()], gaps };
}

/** Picks a log of a level by which no request is counted twice; first one that other levels have as well. */
function pick(
  level: readonly AccessLog[],
  levels: readonly (readonly AccessLog[])[],
  users: ReadonlyMap<string, ReadonlySet<number>>,
  picked: ReadonlyMap<string, CountedLog>,
): CountedLog | undefined {
  if (level.some(({ path }) => picked.has(path))) return undefined;
  const isBeside = (path: string) =>
    levels.some(
      (each) => each.some((log) => log.path === path) && each.some((log) => picked.has(log.path)),
    );
  const usable = level.filter(
    (log) => log.field.ok && problemOf(log, level, users) === undefined && !isBeside(log.path),
  );
  const spread = ({ path }: AccessLog) =>
    levels.filter((each) => each.some((log) => log.path === path)).length;
  const [best] = usable.toSorted((a, b) => spread(b) - spread(a));
  return best?.field.ok === true ? { path: best.path, ...best.field.value } : undefined;
}

function problemOf(
  { path, field }: AccessLog,
  level: readonly AccessLog[],
  users: ReadonlyMap<string, ReadonlySet<number>>,
): string | undefined {
  if (!field.ok) return field.error;
  if ((users.get(path)?.size ?? 0) > 1) return 'sites of others are in it, too';
  return level.filter((each) => each.path === path).length > 1
    ? 'it has each request twice'
    : undefined;
}

function gapOf(
  name: string,
  level: readonly AccessLog[],
  users: ReadonlyMap<string, ReadonlySet<number>>,
): string {
  const [first] = level;
  if (first === undefined) return `${name} does not log everything that it sends`;
  const reason = problemOf(first, level, users) ?? 'requests would be counted twice';
  return `${first.path} of ${name} is not counted by: ${reason}`;
}

/** No tenant has this uid: the sites of nobody's. */
const nobody = -1;

/** Returns whose sites write to each log. */
function usersOf(sites: readonly LoggedSite[]): ReadonlyMap<string, ReadonlySet<number>> {
  const users = new Map<string, Set<number>>();
  for (const { owner, logs } of sites)
    for (const { path } of logs?.levels.flat() ?? []) {
      const of = users.get(path) ?? new Set();
      users.set(path, of.add(owner?.uid ?? nobody));
    }
  return users;
}

/** Returns the names that nginx passes on, in lower case: Apache sends to nginx there, and not to visitors. */
const namesBehindNginx = (sites: readonly LoggedSite[]): ReadonlySet<string> =>
  new Set(
    sites
      .filter(
        ({ server, handlers }) =>
          server === 'nginx' && handlers.some(({ kind }) => kind === 'proxy'),
      )
      .flatMap(({ names }) => names.map((each) => each.toLowerCase())),
  );

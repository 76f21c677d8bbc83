/**
 * The TCP ports at which PHP-FPM's pools listen, from the texts of its configuration. The master listens as root, so only
 * the configuration says whose code runs behind a port.
 *
 *     [shop]
 *     user = alice
 *     listen = 127.0.0.1:9001        or [::1]:9001, or 9001
 *
 * Source: fpm_conf.c, and the manual of PHP.
 */
export interface PoolPort {
  readonly pool: string;
  /** A name, or a uid in digits. */
  readonly user: string;
  readonly port: number;
}

const section = /^[ \t]*\[([^\]\n]*)\]/;
const directive = /^[ \t]*([a-z_.]+)[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|([^;\r\n]*))/;

/** Returns the directives of a text with their sections, in order. */
function* directivesIn(text: string): Generator<{ section: string; key: string; value: string }> {
  let name = '';
  for (const line of text.split('\n')) {
    const begun = section.exec(line)?.[1];
    if (begun !== undefined) name = begun.trim();
    const match = directive.exec(line);
    if (match === null) continue;
    const [, key = '', double, single, plain = ''] = match;
    yield { section: name, key, value: (double ?? single ?? plain).trim() };
  }
}

export const fpmIncludes = (text: string): readonly string[] =>
  [...directivesIn(text)].flatMap(({ key, value }) => (key === 'include' ? [value] : []));

/** Returns the pools at TCP ports; of a directive that a pool has twice, the last counts. */
export function poolPorts(texts: readonly string[]): readonly PoolPort[] {
  const pools = new Map<string, { user?: string; listen?: string }>();
  for (const text of texts)
    for (const { section: pool, key, value } of directivesIn(text)) {
      if (pool === '' || pool === 'global' || (key !== 'user' && key !== 'listen')) continue;
      pools.set(pool, { ...pools.get(pool), [key]: value.replaceAll('$pool', pool) });
    }
  return [...pools].flatMap(([pool, { user = '', listen = '' }]) => {
    const port = portOf(listen);
    return port === undefined || user === '' ? [] : [{ pool, user, port }];
  });
}

function portOf(listen: string): number | undefined {
  const digits = /^(?:[^/]*:)?(\d{1,5})$/.exec(listen)?.[1];
  const port = Number(digits ?? 0);
  return port >= 1 && port <= 65_535 ? port : undefined;
}

export interface ServedPorts {
  readonly ports: ReadonlyMap<number, number>;
  readonly remarks: readonly string[];
}

/** A port of two tenants is left out: which of them it serves depends on the address. */
export function servedPortsOf(
  pools: readonly PoolPort[],
  uidOf: (user: string) => number | undefined,
): ServedPorts {
  const ports = new Map<number, number>();
  const shared = new Map<number, string[]>();
  for (const { pool, user, port } of pools) {
    const uid = uidOf(user);
    if (uid === undefined) continue;
    const other = ports.get(port);
    if (other !== undefined && other !== uid) shared.set(port, [...(shared.get(port) ?? []), pool]);
    else ports.set(port, uid);
  }
  for (const port of shared.keys()) ports.delete(port);
  const remarks = [...shared.keys()].map(
    (port) =>
      `pools of PHP-FPM of two tenants listen at port ${port}, so it is not protected by tenants="no"; give each a port or a unix socket of its own`,
  );
  return { ports, remarks };
}

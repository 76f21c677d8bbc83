/**
 * The effect of http-level directives on an nginx `server`, and which of its requests run something.
 *
 *     location / { try_files $uri /index.php; }
 *     location ~ \.php$ { limit_conn other 3; fastcgi_pass unix:/run/php/shop.sock; }
 *
 * A level that has one directive of a kind inherits none of that kind. nginx counts a request once: if somebody
 * else's limit_conn has let it pass, none is asked again after an internal redirect.
 * Source: ngx_http_limit_conn_module.c, ngx_http_log_module.c, ngx_http_core_module.c.
 */
import type { Directive, ConfigLine } from '../directive.ts';
import { isOwnLimit, isOwnLog, pageLocation } from './own-words.ts';
import { countingOf, type Counting } from './counting.ts';
import { isPass } from './passes.ts';

export interface Lost extends ConfigLine {
  /** Whether an include in the server restores it. */
  readonly canInclude: boolean;
}

export interface NginxVhost {
  /** The value of `$server_name`. */
  readonly serverName: string;
  /** The rules for which of its requests are entries. */
  readonly counts: Counting;
  /** The place of its own directive that keeps the http level's limit_conn from it. */
  readonly limitLost?: Lost;
  /** Whether the server level has a limit_conn that is not ours. */
  readonly limitBeside: boolean;
  /** The place of the access_log that keeps refusals from ours. */
  readonly logLost?: Lost;
  /** Whether the server level has an access_log that is not ours. */
  readonly logBeside: boolean;
  /** Whether the server level has our access_log. */
  readonly ownLog: boolean;
  /** Whether it has the page's location. */
  readonly page: boolean;
}

const inner = new Set(['location', 'if', 'limit_except']);

/** Returns details of a server. `inherited` is the error pages of the level around it. */
export function vhostOf(server: Directive, inherited: readonly Directive[] = []): NginxVhost {
  const block = server.block ?? [];
  const levels = levelsOf(block);
  const page = block.some(({ name, args }) => name === 'location' && args[0] === pageLocation);
  const limitLost = lostLimit(block, levels);
  const logLost = lostLog(block, page ? [] : levels);
  return {
    serverName: serverNameOf(block),
    counts: countingOf(block, inherited),
    ...(limitLost === undefined ? {} : { limitLost }),
    limitBeside: named(block, 'limit_conn').some((each) => !isOwnLimit(each)),
    ...(logLost === undefined ? {} : { logLost }),
    logBeside: named(block, 'access_log').some((each) => !isOwnLog(each)),
    ownLog: named(block, 'access_log').some(isOwnLog),
    page,
  };
}

/**
 * Returns `$server_name` as nginx stores it: without the dot of a name such as `.shop.example`, which also stands for
 * `shop.example`.
 */
function serverNameOf(block: readonly Directive[]): string {
  const [first = ''] = named(block, 'server_name').flatMap(({ args }) => args);
  return first.replace(/^\./, '');
}

const named = (block: readonly Directive[], wanted: string) =>
  block.filter(({ name }) => name === wanted);

/** A block inside the server, or the server's own. */
type Level = readonly Directive[];

function levelsOf(block: Level): readonly Level[] {
  const within = block.flatMap((each) =>
    inner.has(each.name) && each.block !== undefined ? levelsOf(each.block) : [],
  );
  return [block, ...within];
}

const handles = (level: Level) => level.some(({ name }) => isPass(name));

/** Checks all levels, since a request can pass through one location before another handles it. */
function lostLimit(
  server: readonly Directive[],
  levels: readonly Level[],
): NginxVhost['limitLost'] {
  for (const block of levels) {
    const limits = named(block, 'limit_conn');
    const foreign = limits.find((each) => !isOwnLimit(each));
    const dry = named(block, 'limit_conn_dry_run').find(({ args }) => args[0] === 'on');
    const at = dry ?? (limits.some(isOwnLimit) ? undefined : foreign);
    if (at !== undefined)
      return { ...placeOf(at), canInclude: block === server && dry === undefined };
  }
  return undefined;
}

/**
 * Returns the access_log that replaces ours. A vhost with the page logs refusals at the server level; otherwise they
 * are logged where the request would be handled.
 */
function lostLog(server: readonly Directive[], levels: readonly Level[]): NginxVhost['logLost'] {
  const otherThanOurs = (block: readonly Directive[]) => {
    const logs = named(block, 'access_log');
    const off = logs.find(({ args }) => args[0] === 'off');
    return off ?? (logs.some(isOwnLog) ? undefined : logs[0]);
  };
  for (const level of levels) {
    if (level === server || !handles(level)) continue;
    const at = otherThanOurs(level);
    if (at !== undefined) return { ...placeOf(at), canInclude: false };
  }
  const at = otherThanOurs(server);
  return at === undefined ? undefined : { ...placeOf(at), canInclude: at.args[0] !== 'off' };
}

const placeOf = ({ file, line }: ConfigLine): ConfigLine => ({ file, line });

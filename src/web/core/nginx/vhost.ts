/**
 * What a `server` of nginx makes of the directives of the http level, and which of its requests run something.
 *
 *     location / { try_files $uri /index.php; }
 *     location ~ \.php$ { limit_conn other 3; fastcgi_pass unix:/run/php/shop.sock; }
 *
 * A level that has one directive of a kind inherits none of that kind. nginx counts a request once: where a
 * limit_conn of somebody else has let it pass on its way, no other one is asked after an internal redirect.
 * Source: ngx_http_limit_conn_module.c, ngx_http_log_module.c, ngx_http_core_module.c.
 */
import type { Directive, Place } from '../directive.ts';
import { isOwnLimit, isOwnLog, pageLocation } from './own-words.ts';
import { countingOf, type Counting } from './counting.ts';
import { isPass } from './passes.ts';

export interface Lost extends Place {
  /** Whether an include in the server gives it back. */
  readonly canInclude: boolean;
}

export interface NginxVhost {
  /** The value of `$server_name`. */
  readonly serverName: string;
  /** Which of its requests are entries. */
  readonly counts: Counting;
  /** What of its own keeps the limit_conn of the http level from it. */
  readonly limitLost?: Lost;
  /** A limit_conn of somebody else at the level of the server. */
  readonly limitBeside: boolean;
  /** The access_log that keeps refusals from ours. */
  readonly logLost?: Lost;
  /** An access_log of somebody else at the level of the server. */
  readonly logBeside: boolean;
  /** Ours at that level. */
  readonly ownLog: boolean;
  /** Whether it has the location of the page. */
  readonly page: boolean;
}

const inner = new Set(['location', 'if', 'limit_except']);

/** `http`: the level around it. */
export function vhostOf(server: Directive, http: readonly Directive[] = []): NginxVhost {
  const block = server.block ?? [];
  const levels = levelsOf(block);
  const page = block.some(({ name, args }) => name === 'location' && args[0] === pageLocation);
  const limitLost = lostLimit(block, levels);
  const logLost = lostLog(block, page ? [] : levels);
  return {
    serverName: serverNameOf(block),
    counts: countingOf(block, http),
    ...(limitLost === undefined ? {} : { limitLost }),
    limitBeside: named(block, 'limit_conn').some((each) => !isOwnLimit(each)),
    ...(logLost === undefined ? {} : { logLost }),
    logBeside: named(block, 'access_log').some((each) => !isOwnLog(each)),
    ownLog: named(block, 'access_log').some(isOwnLog),
    page,
  };
}

/** As nginx keeps it: a name that begins with a dot stands for the name without it, too. */
function serverNameOf(block: readonly Directive[]): string {
  const [first = ''] = named(block, 'server_name').flatMap(({ args }) => args);
  return first.replace(/^\./, '');
}

const named = (block: readonly Directive[], wanted: string) =>
  block.filter(({ name }) => name === wanted);

/** A block within the server, or its own. */
type Level = readonly Directive[];

function levelsOf(block: Level): readonly Level[] {
  const within = block.flatMap((each) =>
    inner.has(each.name) && each.block !== undefined ? levelsOf(each.block) : [],
  );
  return [block, ...within];
}

const handles = (level: Level) => level.some(({ name }) => isPass(name));

/** Anywhere: a request can pass through a location before it is handled in another one. */
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

/** With the page a refusal is logged where that is, and so by what the server has; else where it would be handled. */
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

const placeOf = ({ file, line }: Place): Place => ({ file, line });

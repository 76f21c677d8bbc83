/**
 * The access logs of an nginx `server`.
 *
 *     access_log /var/log/nginx/shop.log combined buffer=32k;
 *     location /images/ { access_log off; }
 *
 * A level that has an access_log, even "off", inherits none.
 * Source: ngx_http_log_module.c.
 */
import { fail } from '../../../../packages/base/result.ts';
import type { Directive } from '../directive.ts';
import { isOwnLog } from '../nginx/own-words.ts';
import { nginxCombined, nginxField, type FieldOrReason } from './log-format.ts';
import type { AccessLog, SiteLogs } from './site-logs.ts';

export interface NginxLogging {
  readonly formats: ReadonlyMap<string, FieldOrReason>;
  /** The logs of the http level; undefined: nginx's built-in one. */
  readonly logs: readonly AccessLog[] | undefined;
}

const inner = new Set(['location', 'if', 'limit_except']);

export function nginxLogging(http: readonly Directive[]): NginxLogging {
  const formats = new Map<string, FieldOrReason>([['combined', nginxCombined]]);
  for (const { name, args } of http)
    if (name === 'log_format') formats.set(args[0] ?? '', nginxField(args.slice(1)));
  return { formats, logs: logsAt(http, formats) };
}

export function nginxSiteLogs(server: readonly Directive[], http: NginxLogging): SiteLogs {
  const own = logsAt(server, http.formats) ?? http.logs ?? [builtIn];
  return { levels: [own, ...within(server, http.formats)] };
}

const builtIn: AccessLog = {
  path: "nginx's built-in path",
  field: fail('no access_log names a file'),
};

function within(
  block: readonly Directive[],
  formats: NginxLogging['formats'],
): readonly (readonly AccessLog[])[] {
  return block.flatMap(({ name, block: inside }) => {
    if (!inner.has(name) || inside === undefined) return [];
    const own = logsAt(inside, formats);
    return [...(own === undefined ? [] : [own]), ...within(inside, formats)];
  });
}

/** Returns the logs of a level; undefined if it inherits them. */
function logsAt(
  block: readonly Directive[],
  formats: NginxLogging['formats'],
): readonly AccessLog[] | undefined {
  const all = block.filter((each) => each.name === 'access_log');
  if (all.length === 0) return undefined;
  if (all.some(({ args }) => args[0] === 'off')) return [];
  return all
    .filter((each) => !isOwnLog(each))
    .map(({ args: [path = '', format = 'combined', ...options] }) => ({
      path,
      field: optionsProblem(path, [format, ...options]) ?? formats.get(format) ?? unknownFormat,
    }));
}

const unknownFormat: FieldOrReason = fail('its format is not in the configuration');

function optionsProblem(path: string, words: readonly string[]): FieldOrReason | undefined {
  if (path.includes('$')) return fail('its path has a variable');
  if (!path.startsWith('/')) return fail('it is not a file with an absolute path');
  if (words.some((each) => each.startsWith('if='))) return fail('it has only some requests');
  return words.some((each) => /^gzip(?:=|$)/.test(each)) ? fail('it is compressed') : undefined;
}

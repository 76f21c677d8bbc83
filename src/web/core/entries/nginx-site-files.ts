/**
 * The files that vhosts include to show the page, and to restore what directives of their own have replaced.
 *
 *     error_page 508 @bulkhead_508;
 *     location @bulkhead_508 { … return 508 '<!doctype html>…'; }
 *
 * The location is named, and the answer is in the configuration itself. So a refused request, which may be a POST,
 * passes neither the server's passwords nor its rewrites, which could lead it to a script that is not counted.
 * Source: ngx_http_special_response.c, ngx_http_core_module.c, ngx_http_named_location().
 */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { pageLocation } from '../nginx/own-words.ts';
import type { NginxHttp } from '../nginx/http-level.ts';
import type { NginxVhost } from '../nginx/vhost.ts';
import type { EnforcedSite } from './enforcement.ts';
import {
  limitHeader,
  limitLine,
  limitWhose,
  mark,
  numbersOf,
  refusalLog,
  retryAfterSeconds,
} from './nginx-file.ts';

interface SiteFile {
  readonly log: boolean;
  readonly limit: boolean;
}

const variants: readonly SiteFile[] = [false, true].flatMap((limit) =>
  [false, true].map((log) => ({ limit, log })),
);

/** `site.conf`, `site-log.conf`, `site-limit.conf`, `site-limit-log.conf`. */
const nameOf = ({ log, limit }: SiteFile) =>
  `site${limit ? '-limit' : ''}${log ? '-log' : ''}.conf`;

export const siteFileNames: readonly string[] = variants.map(nameOf);

export const includeLine = (path: string): string => `include ${path};`;

/** Returns the name of the right file for a vhost, whether it includes one or not. */
export const siteFileFor = ({ limitBeside, logBeside }: NginxVhost, http: NginxHttp): string =>
  nameOf({ limit: limitBeside, log: logBeside || http.accessLog === 'off' });

/** Returns what a vhost lacks now and would have with the include. */
export function lackingWithout(vhost: NginxVhost, http: NginxHttp): readonly Lacking[] {
  const { page, limitLost, logLost, ownLog } = vhost;
  const log = logLost?.canInclude === true || (http.accessLog === 'off' && !ownLog);
  return [
    ...(limitLost?.canInclude === true ? (['limit'] as const) : []),
    ...(log ? (['log'] as const) : []),
    ...(page ? [] : (['page'] as const)),
  ];
}

export type Lacking = 'limit' | 'log' | 'page';

/** The placeholder in the page for whose limit it is. */
export const limitOfWord = '{{limit-of}}';

/** The limit for the page: nginx reads words of at most 4096 bytes. */
const pageBytesMax = 3_500;

/** Returns the texts of the files by name. */
export function nginxSiteFiles(
  enforced: readonly EnforcedSite[],
  page: string,
  socket: string,
): Result<ReadonlyMap<string, string>, Problem> {
  const text = page.trim();
  if (/['\\$]/.test(text) || Buffer.byteLength(text) > pageBytesMax) {
    const reason = `it has a quote, a backslash or a "$", or more than ${pageBytesMax} bytes`;
    return failed({ action: 'use the page for refused requests', reason });
  }
  const limits = numbersOf(enforced).map(limitLine);
  const files = variants.map(({ log, limit }) => {
    const lines = [
      ...(limit ? limits : []),
      ...(log ? [refusalLog(socket)] : []),
      ...pageLines(text.replaceAll(limitOfWord, limitWhose)),
    ];
    return [nameOf({ log, limit }), `${mark}${lines.join('\n')}\n`] as const;
  });
  return ok(new Map(files));
}

/** The file for vhosts that still include one after entries are disabled. */
export const emptySiteFile = `${mark}# Entries are disabled: this does nothing.\n`;

const pageLines = (page: string): readonly string[] => [
  `error_page 508 ${pageLocation};`,
  `location ${pageLocation} {`,
  '  types { }',
  '  default_type "text/html; charset=utf-8";',
  `  add_header Retry-After ${retryAfterSeconds} always;`,
  `  add_header X-Limit "${limitHeader}" always;`,
  '  add_header Cache-Control no-store always;',
  `  return 508 '${page}';`,
  '}',
];

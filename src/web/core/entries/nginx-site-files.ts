/**
 * What a vhost includes to show the page, and to have back what directives of its own took from it.
 *
 *     error_page 508 @bulkhead_508;
 *     location @bulkhead_508 { … return 508 '<!doctype html>…'; }
 *
 * A location with a name, and an answer that is in the configuration itself: a refused request passes neither the
 * rewrites of the server, which could lead it to a script that nobody counts, nor its passwords, and may be a POST.
 * Source: ngx_http_special_response.c, ngx_http_core_module.c, ngx_http_named_location().
 */
import { failed, type Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import { pageLocation } from '../nginx/own-words.ts';
import type { NginxHttp } from '../nginx/http-level.ts';
import type { NginxVhost } from '../nginx/vhost.ts';
import type { HeldSite } from './holding.ts';
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

/** Which of them is right for a vhost, whether it has one or not. */
export const siteFileFor = ({ limitBeside, logBeside }: NginxVhost, http: NginxHttp): string =>
  nameOf({ limit: limitBeside, log: logBeside || http.accessLog === 'off' });

/** What a vhost would have with it, and has not. */
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

/** In the page: whose limit it is. */
export const limitOfWord = '{{limit-of}}';

/** nginx reads words of at most 4096 bytes. */
const pageBytesMax = 3_500;

/** By their names. */
export function nginxSiteFiles(
  held: readonly HeldSite[],
  page: string,
  socket: string,
): Result<ReadonlyMap<string, string>, Problem> {
  const text = page.trim();
  if (/['\\$]/.test(text) || Buffer.byteLength(text) > pageBytesMax) {
    const reason = `it has a quote, a backslash or a "$", or more than ${pageBytesMax} bytes`;
    return failed({ action: 'use the page for refused requests', reason });
  }
  const limits = numbersOf(held).map(limitLine);
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

/** For vhosts that still include them when there is nothing to hold. */
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

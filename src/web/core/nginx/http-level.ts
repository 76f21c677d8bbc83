/** What the http level of nginx's configuration has already, apart from Bulkhead's own file. */
import type { Directive, Place } from '../directive.ts';
import { isOwnLimit } from './own-words.ts';

export interface NginxHttp {
  /** As whom workers run: the `user` of the main level. */
  readonly user: string;
  /** Where the master writes its process id, if the configuration says so. */
  readonly pidFile?: string;
  /** Names of directives of the http level in other files, which cannot be given twice. */
  readonly given: readonly string[];
  /** The value of `map_hash_bucket_size`. */
  readonly mapBucketBytes?: number;
  /** A limit_conn of somebody else. */
  readonly otherLimit?: Place;
  /** Whether requests are logged by a directive, by none, so where nginx was built to, or not at all. */
  readonly accessLog: 'given' | 'default' | 'off';
  /** Every file that was read. */
  readonly files: readonly string[];
}

/** Modules of nginx that pass requests on and notice when the visitor has left. */
export const passingModules = ['fastcgi', 'proxy', 'uwsgi', 'scgi'] as const;

/** What Bulkhead's file would set too. */
const wanted = new Set<string>([
  'map_hash_bucket_size',
  'map_hash_max_size',
  'limit_conn_status',
  'limit_conn_log_level',
  'client_body_timeout',
  'send_timeout',
  'reset_timedout_connection',
  ...passingModules.map((each) => `${each}_ignore_client_abort`),
]);

export function httpLevelOf(
  directives: readonly Directive[],
  files: readonly string[],
  ownFile: string,
): NginxHttp {
  const http = directives
    .filter(({ name }) => name === 'http')
    .flatMap(({ block = [] }) => block)
    .filter(({ file }) => file !== ownFile);
  const valueOf = (from: readonly Directive[], name: string) =>
    from.find((each) => each.name === name)?.args[0];
  const pidFile = valueOf(directives, 'pid');
  const bucket = Number.parseInt(valueOf(http, 'map_hash_bucket_size') ?? '', 10);
  const other = http.find((each) => each.name === 'limit_conn' && !isOwnLimit(each));
  return {
    user: valueOf(directives, 'user') ?? 'nobody',
    ...(pidFile === undefined ? {} : { pidFile }),
    given: [...new Set(http.map(({ name }) => name).filter((name) => wanted.has(name)))],
    ...(Number.isNaN(bucket) ? {} : { mapBucketBytes: bucket }),
    ...(other === undefined ? {} : { otherLimit: { file: other.file, line: other.line } }),
    accessLog: accessLogOf(http),
    files,
  };
}

function accessLogOf(http: readonly Directive[]): NginxHttp['accessLog'] {
  const logs = http.filter(({ name }) => name === 'access_log');
  if (logs.some(({ args }) => args[0] === 'off')) return 'off';
  return logs.length === 0 ? 'default' : 'given';
}

/** The directives that nginx's http level has already, apart from Bulkhead's own file. */
import type { Directive, ConfigLine } from '../directive.ts';
import { isOwnLimit } from './own-words.ts';

export interface NginxHttp {
  /** The `user` of the main level, as whom workers run. */
  readonly user: string;
  /** The file to which the master writes its process id, if the configuration names one. */
  readonly pidFile?: string;
  /** Names of directives of the http level in other files, which cannot be given twice. */
  readonly given: readonly string[];
  /** The value of `map_hash_bucket_size`. */
  readonly mapBucketBytes?: number;
  /** The place of a limit_conn that is not Bulkhead's. */
  readonly otherLimit?: ConfigLine;
  /**
   * Whether a directive sets the log, or none does and nginx uses its built-in path, or requests are not
   * logged.
   */
  readonly accessLog: 'given' | 'default' | 'off';
  /** Every file that was read. */
  readonly files: readonly string[];
}

/** The nginx modules that pass requests on and notice when the visitor has disconnected. */
export const passingModules = ['fastcgi', 'proxy', 'uwsgi', 'scgi'] as const;

/** Directives that Bulkhead's file would set, too. */
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

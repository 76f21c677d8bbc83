/**
 * The access logs by which the bytes of each tenant are counted, as `bulkhead web sync` found them:
 *
 *     /var/lib/bulkhead/web-logs.json      {"tenants":{"1001":{"logs":[{"path":"/var/log/nginx/shop.log", …}],"gaps":[]}}}
 */
import { lstatSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { removeFile, replaceFile } from '../../../../packages/base/io/replace-file.ts';
import { isObject } from '../../../../packages/base/json.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { logsMax, type CountedLog, type CountedLogs } from '../../core/access-logs/counted-logs.ts';

export type LogsByTenant = ReadonlyMap<number, CountedLogs>;

export const webLogsPath = ({ state }: Pick<Paths, 'state'>): string => `${state}/web-logs.json`;
const bytesMax = 64 * 2 ** 20;

export function writeWebLogs(paths: Paths, logs: LogsByTenant): Result<void, Problem> {
  const path = webLogsPath(paths);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  } catch (error) {
    return failed({ ...causeOf(error), action: 'write', object: path });
  }
  return replaceFile(path, `${JSON.stringify({ tenants: Object.fromEntries(logs) })}\n`, 0o600);
}

/** Returns a version that differs whenever the record is written again. */
export function webLogsVersion(paths: Paths): string | undefined {
  const stat = lstatSync(webLogsPath(paths), { bigint: true, throwIfNoEntry: false });
  return stat && `${stat.ino} ${stat.ctimeNs}`;
}

/** Returns nothing if there is no usable record. */
export function readWebLogs(paths: Paths): LogsByTenant {
  const read = readBounded(webLogsPath(paths), bytesMax, { links: 'refuse' });
  if (!read.ok) return new Map();
  try {
    return logsIn(JSON.parse(decodeText(read.value)));
  } catch {
    return new Map();
  }
}

function logsIn(value: unknown): LogsByTenant {
  const tenants = isObject(value) ? value['tenants'] : undefined;
  if (!isObject(tenants)) return new Map();
  return new Map(
    Object.entries(tenants).flatMap(([uid, each]) =>
      /^\d{1,10}$/.test(uid) && isObject(each) ? [[Number(uid), ofTenant(each)] as const] : [],
    ),
  );
}

function ofTenant({ logs, gaps }: Readonly<Record<string, unknown>>): CountedLogs {
  const texts = Array.isArray(gaps) ? gaps.filter((each) => typeof each === 'string') : [];
  const all = Array.isArray(logs) ? logs.slice(0, logsMax).flatMap(logIn) : [];
  return { logs: all, gaps: texts };
}

function logIn(value: unknown): readonly CountedLog[] {
  if (!isObject(value)) return [];
  const { path, parts, part, pattern } = value;
  return typeof path === 'string' &&
    typeof pattern === 'string' &&
    typeof parts === 'number' &&
    typeof part === 'number'
    ? [{ path, parts, part, pattern }]
    : [];
}

/** Removes the record together with everything else of Bulkhead's. */
export const webLogsRelease = {
  async release(paths: Paths): Promise<readonly Problem[]> {
    const removed = removeFile(webLogsPath(paths));
    return removed.ok ? [] : [removed.error];
  },
};

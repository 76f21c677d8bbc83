/**
 * The sites of each tenant that are served, as `bulkhead web sync` found them. The agent may not ask the web
 * servers itself:
 *
 *     /var/lib/bulkhead/web-sites.json      {"sites":{"1001":["shop.example","www.shop.example"]}}
 */
import { lstatSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { isObject } from '../../../../packages/base/json.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { readBounded, decodeText } from '../../../../packages/base/io/regular-file.ts';
import { removeFile, replaceFile } from '../../../../packages/base/io/replace-file.ts';
import { servedName, servedNamesMax, type ServedSites } from '../../core/served-sites.ts';

export const servedPath = ({ state }: Pick<Paths, 'state'>): string => `${state}/web-sites.json`;
const bytesMax = 64 * 2 ** 20;

export function writeServed(paths: Paths, served: ServedSites): Result<void, Problem> {
  const path = servedPath(paths);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  } catch (error) {
    return failed({ ...causeOf(error), action: 'write', object: path });
  }
  const sites = Object.fromEntries([...served].map(([uid, names]) => [uid, [...names]]));
  return replaceFile(path, `${JSON.stringify({ sites })}\n`, 0o600);
}

/** Returns a version that differs whenever the record is written again. */
export function servedVersion(paths: Paths): string | undefined {
  const stat = lstatSync(servedPath(paths), { bigint: true, throwIfNoEntry: false });
  return stat && `${stat.ino} ${stat.ctimeNs}`;
}

/** Returns nothing if there is no usable record. */
export function readServed(paths: Paths): ServedSites | undefined {
  const read = readBounded(servedPath(paths), bytesMax, { links: 'refuse' });
  if (!read.ok) return undefined;
  try {
    return servedIn(JSON.parse(decodeText(read.value)));
  } catch {
    return undefined;
  }
}

function servedIn(value: unknown): ServedSites | undefined {
  const sites = isObject(value) ? value['sites'] : undefined;
  if (!isObject(sites)) return undefined;
  return new Map(
    Object.entries(sites).flatMap(([uid, names]) =>
      /^\d{1,10}$/.test(uid) && Array.isArray(names) ? [[Number(uid), namesIn(names)]] : [],
    ),
  );
}

const namesIn = (names: readonly unknown[]): ReadonlySet<string> =>
  new Set(
    names
      .slice(0, servedNamesMax)
      .flatMap((each) => (typeof each === 'string' ? (servedName(each) ?? []) : [])),
  );

/** Removes the record together with everything else of Bulkhead's. */
export const servedRelease = {
  async release(paths: Paths): Promise<readonly Problem[]> {
    const removed = removeFile(servedPath(paths));
    return removed.ok ? [] : [removed.error];
  },
};

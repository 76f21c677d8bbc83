/**
 * The last bundle that was fetched from each address, with its tag. It is handed over again if the server has none other, so that the
 * agent knows that nothing newer is there, and gets what it could not take before.
 */
import { join } from 'node:path';
import { isObject } from '../../../../packages/base/json.ts';
import { decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { replaceFile } from '../../../../packages/base/io/replace-file.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { limits } from '../../core/parse.ts';

export interface LastBundle {
  readonly url: string;
  readonly etag: string;
  readonly bundle: string;
}

const fileOf = (directory: string) => join(directory, 'last.json');

/** More addresses than a policy has in use; those that were fetched last stay. */
const addressesMax = 8;

/** Returns the last bundle of this address; undefined if there is none, or if the file is damaged. */
export const readLast = (directory: string, url: string): LastBundle | undefined =>
  readAll(directory).find((each) => each.url === url);

function readAll(directory: string): readonly LastBundle[] {
  const bytes = readBounded(fileOf(directory), 2 * limits.bundleChars, { links: 'refuse' });
  if (!bytes.ok) return [];
  try {
    const all: unknown = JSON.parse(decodeText(bytes.value));
    return Array.isArray(all) ? (all as readonly unknown[]).filter(isLast) : [];
  } catch {
    return [];
  }
}

const isLast = (last: unknown): last is LastBundle =>
  isObject(last) &&
  ['url', 'etag', 'bundle'].every(
    (key) => typeof (last as Record<string, unknown>)[key] === 'string',
  );

export function writeLast(directory: string, last: LastBundle): Result<void, Problem> {
  const all = readAll(directory);
  const before = all.find(({ url }) => url === last.url);
  if (before?.etag === last.etag && before.bundle === last.bundle) return ok(undefined);
  const others = all.filter((each) => each !== before).slice(0, addressesMax - 1);
  return replaceFile(fileOf(directory), JSON.stringify([last, ...others]), 0o600);
}

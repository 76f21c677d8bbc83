/**
 * The last bundle that was fetched, with its tag. It is handed over again if the server has none other, so that the
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

/** Returns the last bundle of this address; undefined if there is none, or if the file is damaged. */
export function readLast(directory: string, url: string): LastBundle | undefined {
  const bytes = readBounded(fileOf(directory), 2 * limits.bundleChars, { links: 'refuse' });
  if (!bytes.ok) return undefined;
  try {
    const last: unknown = JSON.parse(decodeText(bytes.value));
    return isObject(last) && isLast(last) && last.url === url ? last : undefined;
  } catch {
    return undefined;
  }
}

const isLast = (last: object): last is LastBundle =>
  ['url', 'etag', 'bundle'].every(
    (key) => typeof (last as Record<string, unknown>)[key] === 'string',
  );

export function writeLast(directory: string, last: LastBundle): Result<void, Problem> {
  const before = readLast(directory, last.url);
  if (before?.etag === last.etag && before.bundle === last.bundle) return ok(undefined);
  return replaceFile(fileOf(directory), JSON.stringify(last), 0o600);
}

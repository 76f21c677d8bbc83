/**
 * Reproduced modules, by content: the SHA-256 of the module's file, the source's digest, and the
 * release it was built for. A later build that differs does not change that.
 *
 * Root keeps them where only root can write, and they are trusted only there: they decide a trust
 * level.
 */
import { createHash } from 'node:crypto';
import { lstatSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import { scanCacheDirectory, readCached, writeCached } from '../scan/own-cache.ts';
import { readBounded } from '../../../base/io/regular-file.ts';
import { listSourceFiles } from '../source/source-files.ts';

const fileName = 'rebuilds.jsonl';
const format = 1;
const keptMax = 20_000;
const fileBytesMax = 2 ** 30;

interface KeptRebuild {
  /** SHA-256 of the module's file as it is stored. */
  readonly module: string;
  /** The digest of the source, by `sourceDigest`. */
  readonly source: string;
  readonly release: string;
  /** The source as it was offered. */
  readonly offered: string;
  /** `2026-01-31`. */
  readonly day: string;
}

/** Returns the directory of the results; undefined for everybody but root. */
export const rebuildsDirectory = (): string | undefined =>
  process.geteuid?.() === 0 ? scanCacheDirectory() : undefined;

/** Keeps results; the oldest go when there are too many. */
export function keepRebuilds(directory: string, results: readonly KeptRebuild[]): void {
  if (results.length === 0) return;
  const known = new Map(readRebuilds(directory).map((each) => [keyOf(each), each]));
  for (const each of results) {
    known.delete(keyOf(each));
    known.set(keyOf(each), each);
  }
  const lines = [...known.values()].slice(-keptMax).map((each) => `${JSON.stringify(each)}\n`);
  writeCached(directory, fileName, `${JSON.stringify({ format })}\n${lines.join('')}`);
}

const keyOf = ({ module, source, release }: KeptRebuild): string =>
  [module, source, release].join(' ');

/** Reads the results; none if there is no file, or if it is not only root's. */
export function readRebuilds(directory: string): readonly KeptRebuild[] {
  const [head, ...lines] = readCached(directory, fileName)?.split('\n') ?? [];
  if (head !== JSON.stringify({ format })) return [];
  try {
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as KeptRebuild);
  } catch {
    return [];
  }
}

/**
 * Returns a digest of all files of a source: their names, whether they can be run, and their
 * contents.
 */
export function sourceDigest(directory: string): Result<string, Problem> {
  const listed = listSourceFiles(directory);
  if (!listed.ok) return listed;
  const hash = createHash('sha256');
  for (const path of [...listed.value.files, ...listed.value.compiled].sort()) {
    const content = contentOf(join(directory, path));
    if (!content.ok) return content;
    hash.update(`${JSON.stringify(path)} ${content.value}\n`);
  }
  return ok(hash.digest('hex'));
}

function contentOf(path: string): Result<string, Problem> {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status?.isSymbolicLink() === true) return ok(`link ${JSON.stringify(readlinkSync(path))}`);
  const bytes = readBounded(path, fileBytesMax);
  if (!bytes.ok) return bytes;
  const kind = ((status?.mode ?? 0) & 0o100) === 0 ? 'file' : 'program';
  return ok(`${kind} ${createHash('sha256').update(bytes.value).digest('hex')}`);
}

/**
 * The record that the command leaves when it writes entries. The agent reads it, since it is not allowed to ask
 * the web servers itself:
 *
 *     /var/lib/bulkhead/web-entries.json
 *
 * The file exists exactly while entries are enabled.
 */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { mkdirSync } from 'node:fs';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { type Result } from '../../../../packages/base/result.ts';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { readBounded, decodeText } from '../../../../packages/base/io/regular-file.ts';
import { removeFile, replaceFile } from '../../../../packages/base/io/replace-file.ts';
import type { Paths } from '../../../host/paths.ts';
import type { Member } from '../../../usage/member.ts';
import { memberIn } from '../../core/entries/refusal.ts';

export interface EntriesRecord {
  /** The uid under which web servers report refusals. */
  readonly sender: number;
  /** The files from which sites were read. */
  readonly files: readonly string[];
  /** The state of these files and their directories at that time. */
  readonly state: string;
  /** The limits that were written. */
  readonly limits: string;
  /** The tenant or site whose limit applies at each Apache vhost, by the vhost's name. */
  readonly apacheOwners: Readonly<Record<string, Member>>;
  /** Whether `enable` was given `--strict`. */
  readonly strict?: boolean;
}

export const recordPath = ({ state }: Pick<Paths, 'state'>): string => `${state}/web-entries.json`;
/** The lock for every process that decides by the record, or changes it. */
export const entriesLock = ({ runtime }: Pick<Paths, 'runtime'>): string =>
  `${runtime}/web-entries.lock`;
const bytesMax = 64 * 2 ** 20;

export function writeRecord(paths: Paths, record: EntriesRecord): Result<void, Problem> {
  const path = recordPath(paths);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  } catch (error) {
    return failed({ ...causeOf(error), action: 'write', object: path });
  }
  return replaceFile(path, `${JSON.stringify(record)}\n`, 0o600);
}

export const removeRecord = (paths: Paths): Result<void, Problem> => removeFile(recordPath(paths));

/** Returns nothing if there is no usable record. */
export function readEntriesRecord(paths: Paths): EntriesRecord | undefined {
  const read = readBounded(recordPath(paths), bytesMax, { links: 'refuse' });
  if (!read.ok) return undefined;
  try {
    return recordOf(JSON.parse(decodeText(read.value)));
  } catch {
    return undefined;
  }
}

function recordOf(value: unknown): EntriesRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { sender, files, state, limits, apacheOwners, strict } = value as Partial<
    Record<string, unknown>
  >;
  const isText = (each: unknown) => typeof each === 'string';
  if (typeof sender !== 'number' || !Array.isArray(files) || !files.every(isText)) return undefined;
  if (typeof state !== 'string' || typeof limits !== 'string') return undefined;
  if (typeof apacheOwners !== 'object' || apacheOwners === null) return undefined;
  const owners = Object.entries(apacheOwners).flatMap(([name, each]) => {
    // An earlier version wrote the uid of the tenant.
    const member = memberIn(typeof each === 'number' ? `u${each}` : each);
    return member === undefined ? [] : [[name, member] as const];
  });
  const known = { sender, files, state, limits, apacheOwners: Object.fromEntries(owners) };
  return strict === true ? { ...known, strict } : known;
}

/** Returns a value that differs when a file, or the content of its directory, has changed. */
export function fileStateKey(files: readonly string[]): string {
  const directories = new Set(files.map((each) => dirname(each)));
  let sum = 0n;
  for (const path of [...files, ...directories]) sum = (sum * 31n + versionOf(path)) & mask;
  return sum.toString(16);
}

const mask = (1n << 64n) - 1n;

/** Returns the version of what a path leads to: links are followed, since their targets were read. */
function versionOf(path: string): bigint {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? 1n : stat.mtimeNs * 7n + stat.size * 5n + stat.ino;
  } catch {
    return 2n;
  }
}

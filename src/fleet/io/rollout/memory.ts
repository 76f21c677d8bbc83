/**
 * The records that the centre has in its own directory, for the day on which the servers lose theirs:
 *
 *     /var/lib/bulkhead-fleet-server/rollout.json   {"format":1,"last":"{…}","heard":"{…}"}
 */
import { join } from 'node:path';
import { cannotRead, decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { replaceFile } from '../../../../packages/base/io/replace-file.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { formatOne, orNull, text, type Shape } from '../../core/fields.ts';
import { parseShape } from '../../core/parse.ts';
import { recordCharsMax } from '../../core/rollout/parse-record.ts';

export interface Memory {
  readonly format: 1;
  /** The file of the newest record; null: none. */
  readonly last: string | null;
  /** The file of the last word of people that was followed; null: none. */
  readonly heard: string | null;
}

export const noMemory: Memory = { format: 1, last: null, heard: null };

const shape: Shape<Memory> = {
  format: formatOne,
  last: orNull(text(recordCharsMax)),
  heard: orNull(text(recordCharsMax)),
};

/** Each text is escaped once more. */
const charsMax = 5 * recordCharsMax;

export const memoryFile = (directory: string): string => join(directory, 'rollout.json');

/** Reads it. Without a file, the centre has led nothing. */
export function readMemory(directory: string): Result<Memory, Problem> {
  const path = memoryFile(directory);
  const read = readBounded(path, charsMax, { links: 'refuse' });
  if (!read.ok) return read.error.errno === 'ENOENT' ? ok(noMemory) : read;
  const parsed = parseShape<Memory>('memory', decodeText(read.value), { charsMax, shape });
  return parsed.ok ? parsed : cannotRead(path, parsed.error);
}

export const writeMemory = (directory: string, memory: Memory): Result<void, Problem> =>
  replaceFile(memoryFile(directory), `${JSON.stringify(memory)}\n`, 0o600);

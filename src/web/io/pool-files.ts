/**
 * Finds the files in which each php-fpm pool is written: the main file, and all that it includes.
 */
import { globSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import type { ConfigLine, ReadProblem } from '../core/directive.ts';
import { parseFpmFile } from '../core/fpm/file.ts';
import { formatCause } from '../../../packages/base/problem.ts';
import { readBounded } from '../../../packages/base/io/regular-file.ts';

interface PoolPlaces {
  /** Places by pool name, in the order in which php-fpm reads them. */
  readonly places: ReadonlyMap<string, readonly ConfigLine[]>;
  readonly problems: readonly ReadProblem[];
}

const bytesMax = 16 * 2 ** 20;
const filesMax = 100_000;

/**
 * Reads the places of pools. Each file is read once, so files that include each other come to an
 * end.
 */
export function readPoolPlaces(configuration: string): PoolPlaces {
  const places = new Map<string, ConfigLine[]>();
  const problems: ReadProblem[] = [];
  const known = new Set<string>();
  const waiting = [configuration];
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    if (known.has(file)) continue;
    if (known.size === filesMax) {
      problems.push({ message: `it has more than ${filesMax} files; the rest is not read` });
      break;
    }
    known.add(file);
    const read = readBounded(file, bytesMax, { links: 'follow' });
    if (!read.ok) {
      problems.push({ file, message: formatCause(read.error) });
      continue;
    }
    const { sections, includes } = parseFpmFile(Buffer.from(read.value).toString('utf8'));
    for (const { name, line } of sections)
      places.set(name, [...(places.get(name) ?? []), { file, line }]);
    waiting.push(...includes.flatMap((each) => filesNamed(each, configuration)));
  }
  return { places, problems };
}

function filesNamed(pattern: string, configuration: string): readonly string[] {
  const path = isAbsolute(pattern) ? pattern : join(dirname(configuration), pattern);
  return globSync(path).sort();
}

/** The files of a php-fpm's configuration: the main file, and all that it includes, in the order of php-fpm. */
import { globSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { formatCause } from '../../../packages/base/problem.ts';
import { readBounded } from '../../../packages/base/io/regular-file.ts';

interface FpmFileText {
  readonly file: string;
  readonly text: string;
}

interface FpmFileProblem {
  readonly file?: string;
  readonly message: string;
}

interface FpmFiles {
  readonly files: readonly FpmFileText[];
  readonly problems: readonly FpmFileProblem[];
}

const bytesMax = 16 * 2 ** 20;
const filesMax = 100_000;

/** Reads each file once, so files that include each other come to an end. `includesIn` returns the patterns of a text. */
export function readFpmFiles(
  configuration: string,
  includesIn: (text: string) => readonly string[],
): FpmFiles {
  const files: FpmFileText[] = [];
  const problems: FpmFileProblem[] = [];
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
    const text = Buffer.from(read.value).toString('utf8');
    files.push({ file, text });
    waiting.push(...includesIn(text).flatMap((each) => filesNamed(each, configuration)));
  }
  return { files, problems };
}

function filesNamed(pattern: string, configuration: string): readonly string[] {
  const path = isAbsolute(pattern) ? pattern : join(dirname(configuration), pattern);
  return globSync(path).sort();
}

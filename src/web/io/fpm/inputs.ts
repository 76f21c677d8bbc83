/** What a split is made from: the pools as php-fpm understands them, and the files in which they are written. */
import { existsSync, globSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { failed, type Problem } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import { readBounded, textOf } from '../../../sys/files/regular-file.ts';
import type { ReadProblem } from '../../core/directive.ts';
import { parseFpmSections, type FpmSection } from '../../core/fpm/dump.ts';
import { parseFpmFile } from '../../core/fpm/file.ts';
import type { Include } from '../../core/fpm/service/main-file.ts';
import type { PoolFile } from '../../core/fpm/service/split.ts';
import { parseServerError } from '../../core/server-error.ts';
import { runBounded } from '../../../sys/processes/run-bounded.ts';
import type { FpmProgram } from '../servers.ts';

export interface FpmInputs {
  readonly main: string;
  readonly includes: readonly Include[];
  /** Of the includes of the main file, in order. */
  readonly files: readonly PoolFile[];
  readonly sections: readonly FpmSection[];
}

const bytesMax = 16 * 2 ** 20;

export async function readFpmInputs(fpm: FpmProgram): Promise<Result<FpmInputs, Problem>> {
  const { program, configuration } = fpm;
  const dumped = await dumpPools(program, configuration);
  if (!dumped.ok)
    return failed({ action: 'use', object: configuration, reason: placeText(dumped.error) });
  const main = readBounded(configuration, bytesMax);
  if (!main.ok) return main;
  const text = textOf(main.value);
  const includes: Include[] = [];
  for (const pattern of parseFpmFile(text).includes) {
    const read = readInclude(pattern, configuration);
    if (!read.ok) return read;
    includes.push(read.value);
  }
  const files = includes.flatMap((each) => each.files);
  const twice = files.find(({ path }, at) => files.findIndex((each) => each.path === path) !== at);
  if (twice !== undefined)
    return failed({
      action: 'divide the pools of',
      object: configuration,
      reason: `it includes ${twice.path} twice`,
    });
  return ok({ main: text, includes, files, sections: dumped.value });
}

/** How php-fpm understands a configuration, or what it does not accept in it. `before` are words before its own. */
export async function dumpPools(
  program: string,
  configuration: string,
  before: readonly string[] = [],
): Promise<Result<readonly FpmSection[], ReadProblem>> {
  const [first, ...rest] = [...before, program];
  const words = [...rest, '-tt', '--fpm-config', configuration];
  const run = await runBounded(first, words, { timeoutMs: checkTimeoutMs });
  if (!run.ok) return fail({ message: run.error });
  if (run.value.status === 0) return ok(parseFpmSections(run.value.stderr));
  return fail(parseServerError(run.value.stderr));
}

/** Against hanging; less than a division has. */
const checkTimeoutMs = 100_000;

export const placeText = ({ file, line, message }: ReadProblem): string =>
  file === undefined ? message : `${file}:${line}: ${message}`;

function readInclude(pattern: string, configuration: string): Result<Include, Problem> {
  if (!pattern.startsWith('/')) {
    return failed({
      action: 'divide the pools of',
      object: configuration,
      reason: `it includes "${pattern}", which is not an absolute path`,
    });
  }
  const files: PoolFile[] = [];
  for (const path of globSync(pattern).sort()) {
    const read = readPoolFile(path);
    if (!read.ok) return read;
    files.push(read.value);
  }
  return ok({ pattern, files });
}

function readPoolFile(path: string): Result<PoolFile, Problem> {
  const read = readBounded(path, bytesMax);
  if (!read.ok) return read;
  const text = textOf(read.value);
  return ok({ ...parseFpmFile(text), path, text, isPublic: isPublic(path) });
}

/** By its mode alone: who may pass through the directories is not a secret. */
const isPublic = (path: string) => (statSync(path).mode & 0o004) !== 0;

/** The first directory on the way that not everybody may pass through. */
export function closedDirectory(path: string): string | undefined {
  for (let at = path; at !== '/'; at = dirname(at))
    if (existsSync(at) && (statSync(at).mode & 0o001) === 0) return at;
  return undefined;
}

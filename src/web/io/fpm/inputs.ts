/** The inputs of a split: the pools as php-fpm understands them, and the files in which they are written. */
import { globSync, statSync } from 'node:fs';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { readBounded, decodeText } from '../../../../packages/base/io/regular-file.ts';
import type { FpmSection } from '../../core/fpm/dump.ts';
import { parseFpmFile } from '../../core/fpm/file.ts';
import type { Include } from '../../core/fpm/service/main-file.ts';
import { sectionsInText } from '../../core/fpm/service/text-sections.ts';
import type { PoolFile } from '../../core/fpm/service/split.ts';
import { placeText } from './check/dump.ts';
import { dumpAccepted, type CheckRun, type LeftOut, type PoolSources } from './check/left-out.ts';
import type { FpmContext } from './context.ts';
import type { FpmProgram } from '../servers.ts';

export interface FpmInputs {
  readonly main: string;
  readonly includes: readonly Include[];
  /** The files that the main file includes, in order. */
  readonly files: readonly PoolFile[];
  readonly sections: readonly FpmSection[];
  /** The `files` with which php-fpm accepts nothing at all. Their pools are not in `sections`. */
  readonly leftOut: LeftOut;
}

const bytesMax = 16 * 2 ** 20;

/**
 * Reads the main file and what it includes, as php-fpm understands it without the files of tenants that break
 * it.
 */
export async function readFpmInputs(
  context: Pick<FpmContext, 'fpm' | 'layout' | 'paths' | 'policy'>,
  check: CheckRun,
  before: LeftOut = new Map(),
): Promise<Result<FpmInputs, Problem>> {
  const { configuration } = context.fpm;
  const sources = readSources(configuration);
  if (!sources.ok) return sources;
  const dumped = await dumpAccepted(context, sources.value, check, before);
  if (!dumped.ok)
    return failed({ action: 'use', object: configuration, reason: placeText(dumped.error) });
  return ok({ ...sources.value, ...dumped.value });
}

/** Reads the pool files as they are written, whether or not php-fpm accepts them. */
export function readPoolFiles(fpm: FpmProgram): Result<readonly PoolFile[], Problem> {
  const sources = readSources(fpm.configuration);
  return sources.ok ? ok(sources.value.files) : sources;
}

/**
 * Returns the builds of PHP that have a pool at an address, by the address. Files that others than root can write claim
 * nothing: they would keep another tenant's pool from its service. A file that cannot be read is left out alone.
 */
export function readClaims(
  builds: readonly FpmProgram[],
  isUnsafe: (path: string, php: string) => boolean,
): ReadonlyMap<string, string> {
  const claims = new Map<string, string>();
  for (const build of builds) {
    if (isUnsafe(build.configuration, build.php)) continue;
    const main = textAt(build.configuration);
    const paths = parseFpmFile(main)
      .includes.filter((each) => each.startsWith('/'))
      .flatMap((pattern) => globSync(pattern).sort())
      .filter((path) => !isUnsafe(path, build.php));
    for (const { values } of [main, ...paths.map(textAt)].flatMap(sectionsInText)) {
      const listen = values.get('listen');
      if (listen !== undefined && !claims.has(listen)) claims.set(listen, build.php);
    }
  }
  return claims;
}

/** Returns nothing if it cannot be read. */
function textAt(path: string): string {
  const read = readBounded(path, bytesMax);
  return read.ok ? decodeText(read.value) : '';
}

function readSources(configuration: string): Result<PoolSources, Problem> {
  const main = readBounded(configuration, bytesMax);
  if (!main.ok) return main;
  const text = decodeText(main.value);
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
  return ok({ main: text, includes, files, original: configuration });
}

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
  const text = decodeText(read.value);
  return ok({ ...parseFpmFile(text), path, text, isPublic: isPublic(path) });
}

/** Whether its own mode lets everybody read it. Closed directories above do not make it secret. */
const isPublic = (path: string) => (statSync(path).mode & 0o004) !== 0;

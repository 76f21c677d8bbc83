/**
 * Builds packages for Debian, Ubuntu and enterprise Linux: `npm run package`. Options: `--arch x64|arm64`, `--format
 * deb|rpm`, each of which may be given once; without them, everything is built. `--output DIRECTORY` is where packages
 * go, `out/` unless given. `--version 0.2.0~rc1` is another version than in package.json. `--fast` compresses little, for
 * tests.
 *
 * Two builds of the same commit are the same, byte for byte. The date of files is `SOURCE_DATE_EPOCH`, or the commit's.
 * Progress goes to standard error, the paths of packages to standard output.
 */
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ownVersion } from './bundle.ts';
import { buildDeb } from './package/deb.ts';
import { buildRpm } from './package/rpm.ts';
import { epochOf, publish, withWorkDirectory } from './package/places.ts';
import { makeStage, type Stage } from './package/stage.ts';
import {
  checkTools,
  processors,
  type Build,
  type Format,
  type Processor,
} from './package/tools.ts';
import { root } from './steps.ts';

const formats: Readonly<Record<Format, typeof buildDeb>> = { deb: buildDeb, rpm: buildRpm };

interface Wish {
  readonly processors: readonly Processor[];
  readonly formats: readonly Format[];
  readonly output: string;
  readonly version: string;
  readonly fast: boolean;
}

function wishOf(args: readonly string[]): Wish {
  const { values } = parseArgs({
    args: [...args],
    options: {
      arch: { type: 'string' },
      format: { type: 'string' },
      output: { type: 'string', default: `${root}out` },
      version: { type: 'string', default: ownVersion() },
      fast: { type: 'boolean', default: false },
    },
  });
  return {
    processors: chosen('--arch', values.arch, processors),
    formats: chosen('--format', values.format, Object.keys(formats) as Format[]),
    output: resolve(process.env['INIT_CWD'] ?? '.', values.output),
    version: checkedVersion(values.version),
    fast: values.fast,
  };
}

/** Both formats sort what follows the tilde before the version without it. */
const versionPattern = /^\d+\.\d+\.\d+(?:~[a-z0-9.]+)?$/;

function checkedVersion(version: string): string {
  if (versionPattern.test(version)) return version;
  throw new Error(`--version must be like 0.2.0 or 0.2.0~rc1, not "${version}"`);
}

function chosen<T extends string>(
  option: string,
  value: string | undefined,
  all: readonly T[],
): readonly T[] {
  if (value === undefined) return all;
  const found = all.filter((each) => each === value);
  if (found.length === 0) throw new Error(`${option} must be ${all.join(' or ')}, not "${value}"`);
  return found;
}

async function buildPackages(wish: Wish): Promise<void> {
  checkTools(wish.formats, wish.processors);
  // The modes of what compilers write depend on it.
  process.umask(0o022);
  const epoch = epochOf();
  // A directory that cannot be written to is known before everything is built.
  mkdirSync(wish.output, { recursive: true });
  await withWorkDirectory(async (work, signal) => {
    const { version, fast } = wish;
    const build: Build = { work, signal, epoch, version, fast };
    for (const processor of wish.processors) {
      const stage = await makeStage(build, processor);
      for (const format of wish.formats) await buildOne(build, stage, processor, format, wish);
    }
  });
}

async function buildOne(
  build: Build,
  stage: Stage,
  processor: Processor,
  format: Format,
  { output }: Wish,
): Promise<void> {
  const made = await formats[format](build, stage, processor);
  process.stdout.write(`${publish(made, output)}\n`);
}

try {
  await buildPackages(wishOf(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`Cannot build the package: ${(error as Error).message}\n`);
  process.exitCode = 1;
}

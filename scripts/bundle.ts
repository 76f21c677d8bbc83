/** Bundles programs and libraries for packages, and writes their types. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { build, type BuildOptions, type Metafile } from 'esbuild';
import { asCommonJs, requiringChunks } from './common-js.ts';
import { root, tool } from './steps.ts';

/** Entries of the kernel-module library, by their place in a package: `library.ts` and the thread that reads files. */
export const modulesEntries: Readonly<Record<string, string>> = {
  'modules/library': 'packages/modules/library.ts',
  'modules/io/scan/reader-thread': 'packages/modules/io/scan/reader-thread.ts',
};

/**
 * Bundles entries into a directory, in which each is found under its name. Each has a file, and
 * shares the rest in chunks, so that a program reads only the few files that it needs. Packages of
 * npm stay outside: npm installs them, under their own licenses.
 */
export async function bundle(entries: Entries, directory: string): Promise<void> {
  await buildShared(entries, directory, ownVersion(), { packages: 'external' });
}

/**
 * Bundles entries together with the packages of npm that they use, except those that load native
 * code, and returns the names of these packages.
 */
export async function bundleWhole(
  entries: Entries,
  directory: string,
  outside: readonly string[],
  version: string,
): Promise<readonly string[]> {
  const metafile = await buildShared(entries, directory, version, { external: [...outside] });
  const names = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.keys(inputs).flatMap((path) => packagePath.exec(path)?.[1] ?? []),
  );
  return [...new Set(names)].sort();
}

/**
 * Bundles a file of tests into one file. In a directory next to the built program's chunks, it starts that program's scripts
 * and is of its build.
 */
export async function bundleTests(file: string, outfile: string): Promise<void> {
  await build({
    ...common,
    absWorkingDir: root,
    entryPoints: [file],
    outfile,
    bundle: true,
    format: 'esm',
    packages: 'external',
    // Otherwise an imported module would take itself for the program.
    define: { ...definesOf(ownVersion()), 'import.meta.main': 'false' },
  });
}

type Entries = Readonly<Record<string, string>>;
/** Matches a file of a package, and has its name: `@hono/node-server`. */
const packagePath = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//;

/** The directory of chunks, as deep as src/sys/package-files.ts and packages/modules/script-file.ts say. */
const chunks = 'chunks/';

async function buildShared(
  entries: Entries,
  directory: string,
  version: string,
  packages: BuildOptions,
): Promise<Metafile> {
  const { outputFiles, metafile } = await build({
    ...packages,
    absWorkingDir: root,
    entryPoints: { ...entries },
    outdir: directory,
    outExtension: { '.js': '.cjs' },
    chunkNames: `${chunks}[name]-[hash]`,
    bundle: true,
    splitting: true,
    format: 'esm',
    ...common,
    define: definesOf(version),
    metafile: true,
    write: false,
  });
  for (const { path, text } of outputFiles) {
    const isChunk = relative(directory, path).startsWith(chunks);
    mkdirSync(dirname(path), { recursive: true });
    if (isChunk) writeFileSync(path, await asCommonJs(text));
    else writeFileSync(path.replace(/\.cjs$/, '.js'), await requiringChunks(text));
  }
  return metafile;
}

const common = { platform: 'node', target: 'node26', logLevel: 'warning' } as const;

/** Returns the constant of src/sys/processes/same-build.ts. */
const definesOf = (version: string) => ({ BULKHEAD_BUILD: JSON.stringify(buildOf(version)) });

/** Returns the version in package.json. */
export function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
    version: string;
  };
  return version;
}

/** Returns what differs between two builds: the version, and a digest of the sources and of the packages of npm. */
function buildOf(version: string): string {
  const digest = createHash('sha256');
  const sources = globSync(
    ['src/**/*.{ts,tsx,css,html}', 'packages/**/*.ts', 'package-lock.json'],
    {
      cwd: root,
      exclude: ['**/test/**', '**/node_modules/**'],
    },
  );
  for (const path of sources.sort())
    digest.update(`${path}\0`).update(readFileSync(`${root}${path}`));
  return `${version} ${digest.digest('hex').slice(0, digestLength)}`;
}

const digestLength = 12;

/** Writes the types of the kernel-module library to `modules/library.d.ts` below a directory. */
export function writeModulesTypes(directory: string): void {
  const types = ['-p', `${root}tsconfig.build.json`, '--outDir', directory];
  execFileSync(tool('tsc'), types, { stdio: 'inherit' });
}

/** Bundles programs and libraries for packages, and writes their types. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { build } from 'esbuild';
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
  await build({ ...optionsFor(entries, directory, ownVersion()), packages: 'external' });
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
  const { metafile } = await build({
    ...optionsFor(entries, directory, version),
    external: [...outside],
    metafile: true,
    // Packages that are CommonJS ask for Node's own modules.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
  });
  const names = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.keys(inputs).flatMap((path) => packagePath.exec(path)?.[1] ?? []),
  );
  return [...new Set(names)].sort();
}

type Entries = Readonly<Record<string, string>>;
/** Matches a file of a package, and has its name: `@hono/node-server`. */
const packagePath = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//;

const optionsFor = (entries: Entries, directory: string, version: string) =>
  ({
    absWorkingDir: root,
    entryPoints: { ...entries },
    outdir: directory,
    // The chunks are as deep as src/sys/package-files.ts and packages/modules/script-file.ts, which say why.
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    logLevel: 'warning',
    // Of src/sys/processes/same-build.ts.
    define: { BULKHEAD_BUILD: JSON.stringify(buildOf(version)) },
  }) as const;

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
  const sources = globSync(['src/**/*.ts', 'packages/**/*.ts', 'package-lock.json'], {
    cwd: root,
    exclude: ['**/test/**', '**/node_modules/**'],
  });
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

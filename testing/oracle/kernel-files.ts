/**
 * Debian's cloud kernel and the packages to build modules for it, unpacked and never installed:
 * `$XDG_CACHE_HOME/bulkhead/kernels/RELEASE_VERSION/` has the trees of these packages together.
 *
 * A directory is complete, because it is made under another name and renamed last. A process that makes a new one
 * removes older ones, under the lock.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Cause } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import { ensurePrerequisites, type LogLine } from '../prerequisites.ts';
import { unpackPackage, updateLists, type AptPackage } from '../vm/apt.ts';
import { cacheDirectory as machineCache } from '../vm/cache.ts';
import { execute } from '../vm/command.ts';
import { removeDirectoryTree } from '../vm/directories.ts';
import { findKernel } from '../vm/guest-kernel.ts';
import { takeLock } from '../vm/lock.ts';
import { step } from '../progress.ts';

export interface OracleKernelFiles {
  /** `uname -r`. */
  readonly release: string;
  readonly image: string;
  /** `/lib/modules/RELEASE` of the image package. */
  readonly modules: string;
  /** The directory for `make -C`. */
  readonly headers: string;
}

export const kernelsCacheDirectory = join(dirname(machineCache), 'kernels');
const unfinished = 'unfinished-';

/**
 * Prepares the files. The error is the reason why this host has no oracle: print it and skip the tests that need it.
 */
export async function prepareKernelFiles(log: LogLine): Promise<Result<OracleKernelFiles, Cause>> {
  if (process.arch !== 'x64')
    return fail({ reason: `the oracle's kernel is x86-64, not ${process.arch}` });
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  if (!/^ID="?debian"?$/m.test(release)) {
    return fail({
      reason: "the oracle's kernel is that of the host's Debian release, and this is not Debian",
    });
  }
  const ready = await ensurePrerequisites('modules', log);
  if (!ready.ok) return fail({ reason: ready.reason });
  await mkdir(kernelsCacheDirectory, { recursive: true });
  await using _lock = await takeLock('exclusive', join(kernelsCacheDirectory, 'lock'));
  const known = await findPackages();
  if (known !== undefined && existsSync(directoryOf(known.kernel))) return ok(await filesIn(known));
  await step(log, "fetching Debian's package lists", updateLists);
  const packages = await findPackages();
  if (packages === undefined)
    return fail({ reason: "apt's lists have no Debian cloud kernel with headers" });
  if (!existsSync(directoryOf(packages.kernel))) {
    const what = `fetching ${packages.kernel.name} and its headers`;
    try {
      await step(log, what, () => fetch(packages));
    } catch (error) {
      return fail({ reason: (error as Error).message.split('\n', 1)[0]! });
    }
  }
  return ok(await filesIn(packages));
}

interface Packages {
  readonly kernel: AptPackage;
  readonly headers: readonly AptPackage[];
}

const releaseOf = (kernel: AptPackage) => kernel.name.replace(/^linux-image-/, '');
const directoryOf = (kernel: AptPackage) =>
  join(
    kernelsCacheDirectory,
    `${releaseOf(kernel)}_${kernel.version.replaceAll(/[^\w.+~-]/g, '_')}`,
  );

async function findPackages(): Promise<Packages | undefined> {
  const kernel = await findKernel();
  if (kernel === undefined) return undefined;
  const name = `linux-headers-${releaseOf(kernel)}`;
  const { stdout } = await execute(['apt-cache', 'show', `${name}=${kernel.version}`]);
  const depends = /^Depends: (.*)$/m.exec(stdout)?.[1] ?? '';
  const needed = [...depends.matchAll(/linux-(?:headers|kbuild)-[\w.+~-]+/g)].map(([each]) => each);
  if (needed.length === 0) return undefined;
  const headers = [name, ...needed].map((each) => ({ name: each, version: kernel.version }));
  return { kernel, headers };
}

async function fetch({ kernel, headers }: Packages): Promise<void> {
  const directory = await mkdtemp(join(kernelsCacheDirectory, unfinished));
  try {
    for (const each of [kernel, ...headers]) await unpackPackage(each, directory, directory);
    await rename(directory, directoryOf(kernel));
  } finally {
    if (existsSync(directory)) await removeDirectoryTree(directory);
  }
  for (const name of await readdir(kernelsCacheDirectory)) {
    const other = join(kernelsCacheDirectory, name);
    if (name.startsWith(unfinished) || (name.includes('_') && other !== directoryOf(kernel))) {
      await removeDirectoryTree(other);
    }
  }
}

async function filesIn({ kernel, headers }: Packages): Promise<OracleKernelFiles> {
  const directory = directoryOf(kernel);
  const release = releaseOf(kernel);
  const sources = join(directory, 'usr/src');
  const files = {
    release,
    image: join(directory, 'boot', `vmlinuz-${release}`),
    modules: join(
      directory,
      (await readdir(directory)).includes('lib') ? 'lib' : 'usr/lib',
      'modules',
      release,
    ),
    headers: join(sources, headers[0]!.name),
  };
  await pointAtCommon(files.headers, sources);
  return files;
}

/**
 * Corrects the paths in the package's makefile, which names itself and the common headers as if they were installed.
 */
export async function pointAtCommon(headers: string, sources: string): Promise<void> {
  const makefile = join(headers, 'Makefile');
  const text = await readFile(makefile, 'utf8');
  const moved = text.replaceAll(/^(include |KBUILD_OUTPUT=)\/usr\/src(?=\/)/gm, `$1${sources}`);
  if (moved !== text) await writeFile(makefile, moved);
}

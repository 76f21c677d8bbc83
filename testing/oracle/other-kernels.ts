/**
 * Kernels of other Debian releases than the host's, unpacked and never installed:
 * `$XDG_CACHE_HOME/bulkhead/kernels/SUITE/` has the trees of the packages together.
 *
 * apt works in a separate directory, so that the host's lists stay as they are. Files in the cache are used without a
 * network; a directory is complete, because it is made under another name and renamed last.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cause } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import { ensurePrerequisites, type LogLine } from '../prerequisites.ts';
import { debianSources, ownApt, type AptSource } from '../vm/apt.ts';
import { execute, succeed } from '../vm/command.ts';
import { removeDirectoryTree } from '../vm/directories.ts';
import { takeLock } from '../vm/lock.ts';
import { step } from '../progress.ts';
import { kernelsCacheDirectory, pointAtCommon, type OracleKernelFiles } from './kernel-files.ts';

interface OtherKernel {
  readonly name: string;
  /** The suites in the archive of the host's Debian; the first names the directory. */
  readonly suites: readonly [string, ...string[]];
}

/** The oldest kernel that Debian supports, and the newest for its stable release. */
export const otherKernels: readonly OtherKernel[] = [
  { name: 'Debian 12', suites: ['bookworm', 'bookworm-security'] },
  { name: 'the backports of Debian 13', suites: ['trixie-backports'] },
];

/** Older than every BPF program of ours: hosts that have such a kernel still get limits and the agent. */
export const oldKernel: OtherKernel = {
  name: 'Debian 11',
  suites: ['bullseye'],
};

const wanted = ['linux-image-cloud-amd64', 'linux-headers-cloud-amd64'];
/** The packages that they consist of: the newer, the more packages. */
const piece = /linux-(?:(?:base|binary|headers|image|kbuild|modules)-[\w.+~-]+|base\b)/g;

/**
 * Prepares the kernel. The error is the reason why this host cannot have it: print it and skip the tests that need it.
 */
export async function prepareOtherKernel(
  other: OtherKernel,
  log: LogLine,
): Promise<Result<OracleKernelFiles, Cause>> {
  if (process.arch !== 'x64')
    return fail({ reason: `the oracle's kernel is x86-64, not ${process.arch}` });
  const ready = await ensurePrerequisites('modules', log);
  if (!ready.ok) return fail({ reason: ready.reason });
  await mkdir(kernelsCacheDirectory, { recursive: true });
  const directory = join(kernelsCacheDirectory, other.suites[0]);
  await using _lock = await takeLock('exclusive', `${directory}.lock`);
  try {
    if (!existsSync(directory)) {
      await step(log, `fetching the kernel of ${other.name}`, () => fetch(other, directory));
    }
    return ok(await filesIn(directory));
  } catch (error) {
    return fail({ reason: (error as Error).message.split('\n', 1)[0]! });
  }
}

/**
 * Downloads meta packages of a kernel, and all that they consist of, from these suites. Returns the paths of the
 * packages; apt's own files are beside them.
 */
export async function downloadKernel(
  suites: readonly string[],
  names: readonly string[],
  directory: string,
): Promise<readonly string[]> {
  const options = await ownApt(directory, sourcesOf(await debianSources(), suites));
  const list = ['apt-get', '-q', ...options, '--error-on=any', 'update'];
  await succeed(`list the packages of ${suites.join(', ')}`, list);
  const packages = await piecesOf(names, options);
  const download = ['apt-get', '-q', ...options, 'download', ...packages];
  await succeed(`download ${names.join(' and ')}`, download, { cwd: directory });
  const files = await readdir(directory);
  return files.filter((name) => name.endsWith('.deb')).map((name) => join(directory, name));
}

async function fetch({ suites }: OtherKernel, into: string): Promise<void> {
  const directory = await mkdtemp(join(kernelsCacheDirectory, 'unfinished-'));
  try {
    await downloadKernel(suites, wanted, join(directory, 'apt'));
    const unpack = 'for deb in apt/*.deb; do dpkg-deb -x "$deb" . || exit 1; done; rm -r apt';
    await succeed('unpack the packages', ['sh', '-c', unpack], { cwd: directory });
    await rename(directory, into);
  } finally {
    if (existsSync(directory)) await removeDirectoryTree(directory);
  }
}

/** Returns the host's mirrors, with other suites. */
function sourcesOf(own: readonly AptSource[], suites: readonly string[]): readonly AptSource[] {
  return suites.map((suite) => {
    const isSecurity = suite.endsWith('-security');
    const like = own
      .map((each) => /^(deb (?:\[.*\] )?\S+) (\S+) main$/.exec(each))
      .find((each) => each !== null && each[2]!.endsWith('-security') === isSecurity);
    if (like === null || like === undefined)
      throw new Error(`apt has no source of Debian from which "${suite}" is known`);
    return `${like[1]} ${suite} main`;
  });
}

/** Returns all packages of the kernel of these meta packages, as `NAME=VERSION`. */
async function piecesOf(
  names: readonly string[],
  options: readonly string[],
): Promise<readonly string[]> {
  const found = new Map<string, string>();
  const left = [...names];
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (found.has(name)) continue;
    const show = ['apt-cache', ...options, 'show', '--no-all-versions', name];
    const { stdout } = await execute(show);
    const version = /^Version: (\S+)$/m.exec(stdout)?.[1];
    if (version === undefined) throw new Error(`apt knows no package "${name}"`);
    found.set(name, version);
    const needed = stdout.match(/^(?:Pre-)?Depends: .*$/gm) ?? [];
    left.push(...needed.flatMap((line) => line.match(piece) ?? []));
  }
  return [...found].map(([name, version]) => `${name}=${version}`);
}

async function filesIn(directory: string): Promise<OracleKernelFiles> {
  const lib = join(
    directory,
    existsSync(join(directory, 'lib')) ? 'lib/modules' : 'usr/lib/modules',
  );
  const [release] = await readdir(lib);
  if (release === undefined) throw new Error(`"${lib}" holds no kernel`);
  const modules = join(lib, release);
  const own = join(directory, 'boot', `vmlinuz-${release}`);
  const headers = join(directory, 'usr/src', `linux-headers-${release}`);
  await pointAtCommon(headers, join(directory, 'usr/src'));
  return {
    release,
    image: existsSync(own) ? own : join(modules, 'vmlinuz'),
    modules,
    headers,
  };
}

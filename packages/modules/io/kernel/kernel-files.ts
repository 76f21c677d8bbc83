/**
 * The places of a kernel's pieces: on this host, in an unpacked package, in a directory of headers,
 * or any mixture of these.
 *
 *   boot/vmlinuz-RELEASE  boot/config-RELEASE
 *   lib/modules/RELEASE/kernel/…  usr/lib/modules/RELEASE/kernel/…
 *   usr/src/linux-headers-RELEASE/Module.symvers
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { readText } from '../../../base/io/read.ts';
import { quoted } from '../../../base/io/errno.ts';
import { failed, type Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';

/**
 * The directories where this host keeps its kernels: values, so that a test can point them at a
 * fixture tree.
 */
export interface HostRoots {
  readonly proc: string;
  readonly sys: string;
  /** `/lib/modules`. */
  readonly modules: string;
  readonly boot: string;
  /** `/usr/src`. */
  readonly sources: string;
}

export const hostRoots: HostRoots = {
  proc: '/proc',
  sys: '/sys',
  modules: '/lib/modules',
  boot: '/boot',
  sources: '/usr/src',
};

/** Paths where files may be, in order of preference; none of them need exist. */
export interface KernelFiles {
  readonly release: string;
  readonly moduleDirectory: string | undefined;
  readonly symvers: readonly string[];
  readonly images: readonly string[];
  readonly configs: readonly string[];
}

interface Places {
  /** Directories named like the release. */
  readonly modules: readonly string[];
  readonly boot: readonly string[];
  readonly headers: readonly string[];
}

const releasePattern = /^\d+\.\d+[\w.+~-]*$/;

/** Whether the text can be a release, and so part of a path. */
export const plainRelease = (text: string): boolean => releasePattern.test(text);

/** Returns `uname -r`. */
export const runningRelease = (roots: HostRoots): string | undefined =>
  readText(join(roots.proc, 'sys/kernel/osrelease'))?.trim();

export function runningFiles(roots: HostRoots): Result<KernelFiles, Problem> {
  const release = runningRelease(roots);
  if (release === undefined || !releasePattern.test(release)) {
    return failed({
      action: 'read the release of the running kernel',
      reason: `${quoted(roots.proc)} is not mounted`,
    });
  }
  return ok(
    filesOf(release, {
      modules: [join(roots.modules, release)],
      boot: [roots.boot],
      headers: [
        join(roots.sources, `linux-headers-${release}`),
        join(roots.sources, 'kernels', release),
      ],
    }),
  );
}

/** Finds the pieces in `directories`, which together must be of one kernel. */
export function filesIn(directories: readonly string[]): Result<KernelFiles, Problem> {
  for (const object of directories) {
    const found = statSync(object, { throwIfNoEntry: false });
    if (found?.isDirectory() === true) continue;
    const reason = found === undefined ? 'it does not exist' : 'it is not a directory';
    return failed({ action: 'read a kernel from', object, reason });
  }
  const bases = [...new Set(directories.flatMap((directory) => basesOf(resolve(directory))))];
  const named = directories.map((directory) => quoted(directory)).join(', ');
  const releases = [...new Set(directories.flatMap((directory) => releasesIn(resolve(directory))))];
  const [release, ...others] = releases;
  if (release === undefined) {
    return failed({
      action: `find a kernel in ${named}`,
      reason:
        'there is no lib/modules/RELEASE, no boot/vmlinuz-RELEASE and no include/generated/utsrelease.h',
    });
  }
  if (others.length > 0) {
    return failed({
      action: `choose a kernel in ${named}`,
      reason: `there are ${releases.map((each) => quoted(each)).join(', ')}`,
      hint: `name the directory of one, as lib/modules/${release}`,
    });
  }
  return ok(filesOf(release, placesIn(bases, release)));
}

/** Returns the directories to search: for `ROOT/lib/modules/RELEASE` also others below ROOT. */
export function basesOf(directory: string): readonly string[] {
  if (!isModuleDirectory(directory)) return [directory];
  const modules = dirname(directory);
  const lib = dirname(modules);
  if (basename(modules) !== 'modules' || basename(lib) !== 'lib') return [directory];
  const root = dirname(lib);
  return [directory, basename(root) === 'usr' ? dirname(root) : root];
}

const isModuleDirectory = (directory: string): boolean =>
  releasePattern.test(basename(directory)) &&
  ['kernel', 'modules.order', 'modules.builtin', 'modules.dep'].some((name) =>
    existsSync(join(directory, name)),
  );

function releasesIn(directory: string): readonly string[] {
  if (isModuleDirectory(directory)) return [basename(directory)];
  const stated = headersRelease(directory);
  const found = [
    ...['lib/modules', 'usr/lib/modules'].flatMap((path) => namesIn(join(directory, path))),
    ...[directory, join(directory, 'boot')].flatMap((path) =>
      namesIn(path).flatMap((name) => /^(?:vmlinu[xz]|config|Image)-(.+)$/.exec(name)?.[1] ?? []),
    ),
    ...namesIn(join(directory, 'usr/src')).flatMap(
      (name) => headersRelease(join(directory, 'usr/src', name)) ?? [],
    ),
    ...(stated === undefined ? [] : [stated]),
  ];
  return found.filter((name) => releasePattern.test(name));
}

/**
 * Returns the release that modules built with these headers are for. Debian 12 has the version of
 * the source in kernel.release, and the kernel's own release only in utsrelease.h.
 */
export function headersRelease(directory: string): string | undefined {
  const header = readText(join(directory, 'include/generated/utsrelease.h')) ?? '';
  const called = /^#define UTS_RELEASE "([^"]+)"/m.exec(header)?.[1];
  return called ?? readText(join(directory, 'include/config/kernel.release'))?.trim();
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).slice(0, namesMax);
  } catch {
    return [];
  }
}

const namesMax = 10_000;

const placesIn = (bases: readonly string[], release: string): Places => ({
  modules: bases.flatMap((base) => [
    ...(basename(base) === release ? [base] : []),
    join(base, 'lib/modules', release),
    join(base, 'usr/lib/modules', release),
  ]),
  boot: bases.flatMap((base) => [join(base, 'boot'), base]),
  headers: bases.flatMap((base) => [
    base,
    join(base, 'usr/src', `linux-headers-${release}`),
    join(base, 'usr/src/kernels', release),
  ]),
});

function filesOf(release: string, places: Places): KernelFiles {
  const { modules, boot } = places;
  // Named directories come before the target of a link, which may be outside an unpacked package.
  const headers = [...places.headers, ...modules.map((directory) => join(directory, 'build'))];
  const packed = ['gz', 'xz', 'zst'];
  const present = (paths: readonly string[]) => paths.filter((path) => existsSync(path));
  return {
    release,
    moduleDirectory: modules.find((directory) => isModuleDirectory(directory)),
    symvers: present([
      ...headers
        .filter((directory) => isOfRelease(directory, release))
        .map((directory) => join(directory, 'Module.symvers')),
      ...modules.flatMap((directory) => packed.map((end) => join(directory, `symvers.${end}`))),
      ...boot.flatMap((directory) =>
        packed.map((end) => join(directory, `symvers-${release}.${end}`)),
      ),
    ]),
    images: present([
      ...boot.map((directory) => join(directory, `vmlinux-${release}`)),
      ...boot.flatMap((directory) =>
        [`vmlinuz-${release}`, `Image-${release}`].map((name) => join(directory, name)),
      ),
      ...modules.map((directory) => join(directory, 'vmlinuz')),
      ...boot.flatMap((directory) =>
        ['vmlinux', 'vmlinuz', 'bzImage', 'Image', 'Image.gz'].map((name) => join(directory, name)),
      ),
    ]),
    configs: present([
      ...boot.map((directory) => join(directory, `config-${release}`)),
      ...modules.map((directory) => join(directory, 'config')),
      ...headers
        .filter((directory) => isOfRelease(directory, release))
        .map((directory) => join(directory, '.config')),
    ]),
  };
}

/**
 * Whether headers are of the release: other headers have another Module.symvers. Headers that state
 * no release count by their path.
 */
function isOfRelease(headers: string, release: string): boolean {
  const stated = headersRelease(headers);
  return stated === undefined || stated === release;
}

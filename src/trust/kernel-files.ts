/**
 * Where the pieces of a kernel are: on this host, in an unpacked package, in a folder of headers, or in
 * any mixture of these.
 *
 *   boot/vmlinuz-RELEASE  boot/config-RELEASE
 *   lib/modules/RELEASE/kernel/…  usr/lib/modules/RELEASE/kernel/…
 *   usr/src/linux-headers-RELEASE/Module.symvers
 */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { readText } from '../host/read.ts';
import { quoted } from '../host/errno.ts';
import { fail, ok, type Result } from '../units/result.ts';

/** Where this host keeps its kernels: values, so that a test can point them at a fixture tree. */
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

/** What may be there, in order of preference; nothing of it need exist. */
export interface KernelFiles {
  readonly release: string;
  readonly moduleFolder: string | undefined;
  readonly symvers: readonly string[];
  readonly images: readonly string[];
  readonly configs: readonly string[];
}

interface Places {
  /** Folders named as the release. */
  readonly modules: readonly string[];
  readonly boot: readonly string[];
  readonly headers: readonly string[];
}

const releasePattern = /^\d+\.\d+[\w.+~-]*$/;

/** `uname -r`. */
export const runningRelease = (roots: HostRoots): string | undefined =>
  readText(join(roots.proc, 'sys/kernel/osrelease'))?.trim();

export function runningFiles(roots: HostRoots): Result<KernelFiles> {
  const release = runningRelease(roots);
  if (release === undefined || !releasePattern.test(release)) {
    return fail(`Cannot tell the release of the running kernel: is ${quoted(roots.proc)} mounted?`);
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

/** The pieces that lie in `folders`, which together must be of one kernel. */
export function filesIn(folders: readonly string[]): Result<KernelFiles> {
  const missing = folders.find((folder) => !existsSync(folder));
  if (missing !== undefined)
    return fail(`Cannot read a kernel from ${quoted(missing)}: it does not exist`);
  const bases = [...new Set(folders.flatMap((folder) => basesOf(resolve(folder))))];
  const named = folders.map((folder) => quoted(folder)).join(', ');
  const releases = [...new Set(folders.flatMap((folder) => releasesIn(resolve(folder))))];
  const [release, ...others] = releases;
  if (release === undefined) {
    return fail(
      `Cannot find a kernel in ${named}: there is no lib/modules/RELEASE, no boot/vmlinuz-RELEASE and no include/generated/utsrelease.h`,
    );
  }
  if (others.length > 0) {
    return fail(
      `Cannot tell which kernel of ${named} is meant: there are ${releases.map((each) => quoted(each)).join(', ')}; name the folder of one, as lib/modules/${release}`,
    );
  }
  return ok(filesOf(release, placesIn(bases, release)));
}

/** For `ROOT/lib/modules/RELEASE` also what is beside it below ROOT. */
function basesOf(folder: string): readonly string[] {
  if (!isModuleFolder(folder)) return [folder];
  const modules = dirname(folder);
  const lib = dirname(modules);
  if (basename(modules) !== 'modules' || basename(lib) !== 'lib') return [folder];
  const root = dirname(lib);
  return [folder, basename(root) === 'usr' ? dirname(root) : root];
}

const isModuleFolder = (folder: string): boolean =>
  releasePattern.test(basename(folder)) &&
  ['kernel', 'modules.order', 'modules.builtin', 'modules.dep'].some((name) =>
    existsSync(join(folder, name)),
  );

function releasesIn(folder: string): readonly string[] {
  if (isModuleFolder(folder)) return [basename(folder)];
  const stated = headersRelease(folder);
  const found = [
    ...['lib/modules', 'usr/lib/modules'].flatMap((path) => namesIn(join(folder, path))),
    ...[folder, join(folder, 'boot')].flatMap((path) =>
      namesIn(path).flatMap((name) => /^(?:vmlinu[xz]|config|Image)-(.+)$/.exec(name)?.[1] ?? []),
    ),
    ...namesIn(join(folder, 'usr/src')).flatMap(
      (name) => headersRelease(join(folder, 'usr/src', name)) ?? [],
    ),
    ...(stated === undefined ? [] : [stated]),
  ];
  return found.filter((name) => releasePattern.test(name));
}

/**
 * What modules built with these headers are for. Debian 12 has the version of the source in kernel.release, and
 * what the kernel calls itself in utsrelease.h alone.
 */
function headersRelease(folder: string): string | undefined {
  const header = readText(join(folder, 'include/generated/utsrelease.h')) ?? '';
  const called = /^#define UTS_RELEASE "([^"]+)"/m.exec(header)?.[1];
  return called ?? readText(join(folder, 'include/config/kernel.release'))?.trim();
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).slice(0, namesMax);
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
  // What was named comes before what a link leads to, which may be outside an unpacked package.
  const headers = [...places.headers, ...modules.map((folder) => join(folder, 'build'))];
  const packed = ['gz', 'xz', 'zst'];
  const present = (paths: readonly string[]) => paths.filter((path) => existsSync(path));
  return {
    release,
    moduleFolder: modules.find((folder) => isModuleFolder(folder)),
    symvers: present([
      ...headers
        .filter((folder) => isOfRelease(folder, release))
        .map((folder) => join(folder, 'Module.symvers')),
      ...modules.flatMap((folder) => packed.map((end) => join(folder, `symvers.${end}`))),
      ...boot.flatMap((folder) => packed.map((end) => join(folder, `symvers-${release}.${end}`))),
    ]),
    images: present([
      ...boot.map((folder) => join(folder, `vmlinux-${release}`)),
      ...boot.flatMap((folder) =>
        [`vmlinuz-${release}`, `Image-${release}`].map((name) => join(folder, name)),
      ),
      ...modules.map((folder) => join(folder, 'vmlinuz')),
      ...boot.flatMap((folder) =>
        ['vmlinux', 'vmlinuz', 'bzImage', 'Image', 'Image.gz'].map((name) => join(folder, name)),
      ),
    ]),
    configs: present([
      ...boot.map((folder) => join(folder, `config-${release}`)),
      ...modules.map((folder) => join(folder, 'config')),
      ...headers
        .filter((folder) => isOfRelease(folder, release))
        .map((folder) => join(folder, '.config')),
    ]),
  };
}

/** Headers of another release have another Module.symvers; those that state none are taken at their place. */
function isOfRelease(headers: string, release: string): boolean {
  const stated = headersRelease(headers);
  return stated === undefined || stated === release;
}

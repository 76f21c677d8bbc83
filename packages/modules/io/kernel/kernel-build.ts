/**
 * The files that modules of a kernel are built against: its headers, and what their makefiles
 * include.
 *
 * Debian spreads them: /usr/src/linux-headers-REL includes the makefile of …-common and has links
 * into /usr/lib/linux-kbuild-VERSION. All of them may be unpacked somewhere instead of installed;
 * `mounts` has each one's real and expected place.
 */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { quoted } from '../../../base/io/errno.ts';
import { linkAt, readText } from '../../../base/io/read.ts';
import { failed, type Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import { basesOf, headersRelease } from './kernel-files.ts';

export interface KernelBuild {
  readonly release: string;
  /** The place where makefiles expect the headers: the argument of `make -C`. */
  readonly headers: string;
  /** The mounts, the headers first. */
  readonly mounts: readonly HeadersMount[];
}

interface HeadersMount {
  readonly from: string;
  readonly to: string;
}

/** The most directories that one may need; more is hostile. */
const mountsMax = 8;
const siblingsMax = 200;

/**
 * Finds the headers of a kernel: in the `given` directories (each headers, or the root of unpacked
 * packages), else the installed ones.
 */
export function findKernelBuild(
  release: string,
  given?: readonly string[],
): Result<KernelBuild, Problem> {
  const tried =
    given === undefined
      ? installedDirectories(release)
      : given.flatMap((each) => givenDirectories(each, release));
  const found = tried.filter(isHeadersDirectory);
  const from = found.find((each) => headersRelease(each) === release) ?? found[0];
  if (from === undefined) {
    const where = tried.slice(0, 4).map(quoted).join(', ');
    return failed({
      action: 'find the headers of kernel',
      object: release,
      reason: `none in ${where}`,
      hint: `install them (apt install linux-headers-${release}) or name them with --headers`,
    });
  }
  return collectMounts(headersRelease(from) ?? release, from);
}

const installedDirectories = (release: string): readonly string[] => {
  const build = `/lib/modules/${release}/build`;
  return [`/usr/src/linux-headers-${release}`, `/usr/src/kernels/${release}`, linked(build)];
};

/**
 * Returns the directories to search: one below `lib/modules` has its headers in the same unpacked
 * root.
 */
function givenDirectories(given: string, release: string): readonly string[] {
  const directory = resolve(given);
  const inPackage = [`usr/src/linux-headers-${release}`, `usr/src/kernels/${release}`];
  return [
    ...basesOf(directory).flatMap((base) => [base, ...inPackage.map((path) => join(base, path))]),
    linked(join(directory, 'build')),
  ];
}

const linked = (path: string): string => {
  const target = linkAt(path);
  return target === '' ? path : resolve(dirname(path), target);
};

const isHeadersDirectory = (path: string): boolean =>
  statOf(join(path, 'Makefile'))?.isFile() === true &&
  statOf(join(path, 'include/config'))?.isDirectory() === true;

const statOf = (path: string) => {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
};

function collectMounts(release: string, from: string): Result<KernelBuild, Problem> {
  const root = rootOf(from);
  const headers = root === undefined ? `/usr/src/${basename(from)}` : from.slice(root.length);
  const roots = [...new Set([root ?? '', ...besides(root), ''])];
  const mounts: HeadersMount[] = [{ from, to: headers }];
  for (let at = 0; at < mounts.length && at < mountsMax; at++) {
    for (const directory of reachedFrom(mounts[at]!)) {
      if (mounts.some(({ to }) => to === directory)) continue;
      const there = roots.map((each) => `${each}${directory}`).find((each) => statOf(each));
      if (there === undefined) {
        return failed({
          action: 'use the headers',
          object: from,
          reason: `"${directory}" is missing`,
          hint: `unpack or install the package that has it (${basename(directory)})`,
        });
      }
      mounts.push({ from: there, to: directory });
    }
  }
  return ok({ release, headers, mounts });
}

/**
 * Returns the root: `/root/of/package` of `/root/of/package/usr/src/linux-headers-…`; empty for
 * installed headers.
 */
function rootOf(directory: string): string | undefined {
  return /^(.*)\/usr\/src\/(?:kernels\/)?[^/]+$/.exec(directory)?.[1];
}

/** Returns other packages that were unpacked next to this one. */
function besides(root: string | undefined): readonly string[] {
  if (root === undefined || root === '') return [];
  const parent = dirname(root);
  const names = readdirSync(parent).filter((name) => name.startsWith('linux-'));
  return names.slice(0, siblingsMax).map((name) => join(parent, name));
}

/**
 * Returns directories below some /usr/src and /usr/lib that a directory's makefile includes or its
 * links lead to.
 */
function reachedFrom({ from, to }: HeadersMount): readonly string[] {
  const makefile = readText(join(from, 'Makefile')) ?? '';
  const included = [...makefile.matchAll(/^include[ \t]+(\/\S+)/gm)].map(([, path = '']) => path);
  const links = readdirSync(from).flatMap((name) => {
    const target = linkAt(join(from, name));
    return target === '' ? [] : [resolve(to, target)];
  });
  const directories = [...included, ...links].map(
    (path) => /^(?:\/.*)?\/usr\/(?:src|lib)\/[\w.+~-]+(?=\/|$)/.exec(path)?.[0],
  );
  return [...new Set(directories.filter((each) => each !== undefined))];
}

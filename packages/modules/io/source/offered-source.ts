/**
 * Offered source: a directory, a tarball, a source package, or a package that carries source (a
 * DKMS or kernel package). It is unpacked into a private directory, which is removed when it is no
 * longer needed.
 */
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf } from '../../../base/io/errno.ts';
import { failed, type Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import { archiveLimits, openArchive, type ArchiveLimits } from '../inputs/archives.ts';
import { privateDirectory, type PrivateDirectory } from '../../../base/io/private-directory.ts';
import { unpackSourcePackage } from './source-package.ts';
import { listSome } from '../../../base/list.ts';
import { unpackInto } from '../inputs/unpack-into.ts';

interface OfferedDirectory extends Disposable {
  readonly path: string;
  /** Remarks on missing or ignored parts. */
  readonly notes: readonly string[];
}

/**
 * Limits of an archive. The largest source, a kernel's, has 90,000 files and 1.6 GB; /tmp may be in
 * memory.
 */
const limits: ArchiveLimits = { ...archiveLimits, entries: 300_000, bytes: 6 * 1024 ** 3 };

/** The deepest nesting: a source tarball in a package in a package. More is hostile. */
const deepest = 3;
const tarballName = /\.(tar(\.(gz|xz|zst|bz2))?|tgz|txz)$/;

export async function openOfferedSource(path: string): Promise<Result<OfferedDirectory, Problem>> {
  try {
    if (statSync(path).isDirectory()) {
      return ok({ path, notes: [], [Symbol.dispose]: () => {} });
    }
  } catch (error) {
    return failed({ action: 'read source', object: path, reason: reasonOf(error) });
  }
  const directory = privateDirectory();
  const unpacked = await (path.endsWith('.dsc')
    ? fromSourcePackage(path, directory)
    : fromArchive(path, directory, 0));
  if (!unpacked.ok) {
    directory[Symbol.dispose]();
    return unpacked;
  }
  const { path: top, notes } = unpacked.value;
  return ok({ path: top, notes, [Symbol.dispose]: () => directory[Symbol.dispose]() });
}

interface Unpacked {
  readonly path: string;
  readonly notes: readonly string[];
}

async function fromSourcePackage(
  path: string,
  directory: PrivateDirectory,
): Promise<Result<Unpacked, Problem>> {
  const source = await unpackSourcePackage(path, directory.path);
  return source.ok ? ok({ path: source.value.directory, notes: source.value.notes }) : source;
}

async function fromArchive(
  path: string,
  directory: PrivateDirectory,
  depth: number,
): Promise<Result<Unpacked, Problem>> {
  const opened = await openArchive(path);
  if (!opened.ok) return opened;
  if (opened.value === 'not an archive') {
    return failed({
      action: 'read source',
      object: path,
      reason: 'it is not a directory, a package or a tarball',
    });
  }
  using archive = opened.value;
  const into = join(directory.path, String(depth));
  mkdirSync(into, { mode: 0o700 });
  const unpacked = await unpackInto(archive, into, undefined, limits);
  if (!unpacked.ok) return unpacked;
  const notes = leftOut(unpacked.value.skipped);
  const top = topOf(into);
  const tarballs = filesIn(top).filter((name) => tarballName.test(name));
  const [tarball] = tarballs;
  if (tarball === undefined || holdsMakefile(top) || depth + 1 >= deepest) {
    return ok({ path: top, notes });
  }
  if (tarballs.length > 1) notes.push(`of several tarballs, only ${tarball} is used`);
  const nested = await fromArchive(join(top, tarball), directory, depth + 1);
  return nested.ok
    ? ok({ path: nested.value.path, notes: [...notes, ...nested.value.notes] })
    : nested;
}

/** Returns a line a reason: a kernel has dozens of links that no module is made of. */
function leftOut(skipped: readonly { readonly path: string; readonly why: string }[]): string[] {
  return [...Map.groupBy(skipped, ({ why }) => why)].map(([why, all]) => {
    const paths = all.map(({ path }) => path);
    return `left out ${listSome(paths, 3)}: ${why}`;
  });
}

/**
 * Goes down while a directory has no files and only one directory to enter: to
 * `usr/src/NAME-VERSION` of a package, the top of a tarball.
 */
function topOf(directory: string): string {
  let at = directory;
  for (let depth = 0; depth < 8; depth++) {
    if (filesIn(at).length > 0) return at;
    const directories = entriesOf(at).filter((each) => each.isDirectory());
    // A package has its documentation next to its source.
    const [only] =
      directories.length > 1
        ? directories.filter((each) => /^(usr|src)$/.test(each.name))
        : directories;
    if (only === undefined) return at;
    at = join(at, only.name);
  }
  return at;
}

const entriesOf = (directory: string) => readdirSync(directory, { withFileTypes: true });
const filesIn = (directory: string): readonly string[] =>
  entriesOf(directory)
    .filter((each) => each.isFile())
    .map((each) => each.name)
    .sort();

const holdsMakefile = (directory: string): boolean =>
  filesIn(directory).some((name) => /^(Makefile|Kbuild|GNUmakefile|dkms\.conf)$/.test(name));

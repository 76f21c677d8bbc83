/**
 * Source as it is offered: a folder, a tarball, a source package, or a package that carries source (those
 * of DKMS, of a kernel). Unpacked into a private folder that goes when it is no longer needed.
 */
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { quoted, reasonOf } from '../host/errno.ts';
import { fail, ok, type Result } from '../units/result.ts';
import { archiveLimits, openArchive, type ArchiveLimits } from './archives.ts';
import { privateFolder, type PrivateFolder } from './private-folder.ts';
import { unpackSourcePackage } from './source-package.ts';
import { unpackInto } from './unpack-into.ts';

export interface OfferedFolder extends Disposable {
  readonly path: string;
  /** What is missing or was left out. */
  readonly notes: readonly string[];
}

/** The largest, that of a kernel, has 90,000 files and 1.6 GB; /tmp may be in memory. */
const limits: ArchiveLimits = { ...archiveLimits, entries: 300_000, bytes: 6 * 1024 ** 3 };

/** A source tarball in a package in a package: more is somebody's game. */
const deepest = 3;
const tarballName = /\.(tar(\.(gz|xz|zst|bz2))?|tgz|txz)$/;

export async function openOfferedSource(path: string): Promise<Result<OfferedFolder>> {
  try {
    if (statSync(path).isDirectory()) {
      return ok({ path, notes: [], [Symbol.dispose]: () => {} });
    }
  } catch (error) {
    return fail(`Cannot read source ${quoted(path)}: ${reasonOf(error)}`);
  }
  const folder = privateFolder();
  const unpacked = await (path.endsWith('.dsc')
    ? fromSourcePackage(path, folder)
    : fromArchive(path, folder, 0));
  if (!unpacked.ok) {
    folder[Symbol.dispose]();
    return unpacked;
  }
  const { path: top, notes } = unpacked.value;
  return ok({ path: top, notes, [Symbol.dispose]: () => folder[Symbol.dispose]() });
}

interface Unpacked {
  readonly path: string;
  readonly notes: readonly string[];
}

async function fromSourcePackage(path: string, folder: PrivateFolder): Promise<Result<Unpacked>> {
  const source = await unpackSourcePackage(path, folder.path);
  return source.ok ? ok({ path: source.value.folder, notes: source.value.notes }) : source;
}

async function fromArchive(
  path: string,
  folder: PrivateFolder,
  depth: number,
): Promise<Result<Unpacked>> {
  const opened = await openArchive(path);
  if (!opened.ok) return opened;
  if (opened.value === 'not an archive') {
    return fail(`Cannot read source ${quoted(path)}: it is no folder, no package and no tarball`);
  }
  using archive = opened.value;
  const into = join(folder.path, String(depth));
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
  if (tarballs.length > 1) notes.push(`of several tarballs, only ${tarball} is looked at`);
  const nested = await fromArchive(join(top, tarball), folder, depth + 1);
  return nested.ok
    ? ok({ path: nested.value.path, notes: [...notes, ...nested.value.notes] })
    : nested;
}

/** A line a reason: a kernel has links by the dozen, of which no module is made. */
function leftOut(skipped: readonly { readonly path: string; readonly why: string }[]): string[] {
  return [...Map.groupBy(skipped, ({ why }) => why)].map(([why, all]) => {
    const paths = all.slice(0, 3).map(({ path }) => path);
    const more = all.length > paths.length ? ` and ${all.length - paths.length} more` : '';
    return `left out ${paths.join(', ')}${more}: ${why}`;
  });
}

/** Down to where there is more than one folder: `usr/src/NAME-VERSION` of a package, the top of a tarball. */
function topOf(folder: string): string {
  let at = folder;
  for (let depth = 0; depth < 8; depth++) {
    if (filesIn(at).length > 0) return at;
    const folders = entriesOf(at).filter((each) => each.isDirectory());
    // A package has its documentation beside its source.
    const [only] =
      folders.length > 1 ? folders.filter((each) => /^(usr|src)$/.test(each.name)) : folders;
    if (only === undefined) return at;
    at = join(at, only.name);
  }
  return at;
}

const entriesOf = (folder: string) => readdirSync(folder, { withFileTypes: true });
const filesIn = (folder: string): readonly string[] =>
  entriesOf(folder)
    .filter((each) => each.isFile())
    .map((each) => each.name)
    .sort();

const holdsMakefile = (folder: string): boolean =>
  filesIn(folder).some((name) => /^(Makefile|Kbuild|GNUmakefile|dkms\.conf)$/.test(name));

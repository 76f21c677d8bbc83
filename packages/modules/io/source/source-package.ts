/**
 * A Debian source package (.dsc): its files checked by their SHA-256, unpacked, and its patches
 * applied.
 *
 * Nothing of the package is run. `patch` gets only unified diffs (see unified-diff.ts), in a
 * directory without any link.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { reasonOf } from '../../../base/io/errno.ts';
import { FormatError, bytesAsText } from '../../core/elf/bytes.ts';
import { readDsc, type SourceFile, type SourcePackage } from '../../core/packages/dsc.ts';
import { unifiedDiffsOf } from '../../core/packages/unified-diff.ts';
import { failed, type Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import { openFile } from '../inputs/archive-files.ts';
import { archiveProblem, openArchive } from '../inputs/archives.ts';
import { unpackBeside } from '../inputs/unpack-into.ts';
import { readBounded } from '../../../base/io/regular-file.ts';
import { unpacked } from '../inputs/unpack-stream.ts';

interface UnpackedSource {
  readonly source: string;
  readonly version: string;
  /** The source's top directory. */
  readonly directory: string;
  /** Remarks on parts that were left out or not applied: the source may not be complete. */
  readonly notes: readonly string[];
}

const maxTextBytes = 16 * 1024 ** 2;
const maxPatchBytes = 256 * 1024 ** 2;
const maxPatches = 5000;

/**
 * Unpacks the package. `directory` is empty and only ours (see `privateDirectory`); its owner
 * removes it.
 */
export async function unpackSourcePackage(
  dsc: string,
  directory: string,
): Promise<Result<UnpackedSource, Problem>> {
  try {
    const text = readBounded(dsc, maxTextBytes);
    if (!text.ok) return text;
    const source = readDsc(bytesAsText(text.value));
    const checked = checkFiles(source.files, dirname(dsc));
    if (!checked.ok) return checked;
    return await unpackAll(source, dirname(dsc), join(directory, 'source'));
  } catch (error) {
    return failed({ action: 'read', object: dsc, reason: archiveProblem(error) });
  }
}

function checkFiles(files: readonly SourceFile[], directory: string): Result<undefined, Problem> {
  for (const each of files) {
    const path = join(directory, each.name);
    const opened = openFile(path, 'follow');
    if (!opened.ok) return opened;
    using file = opened.value;
    const hash = createHash('sha256');
    for (let offset = 0; offset < file.bytes;) {
      const piece = file.readAt(offset, 1024 ** 2);
      if (piece.length === 0) break;
      hash.update(piece);
      offset += piece.length;
    }
    if (file.bytes !== each.bytes || hash.digest('hex') !== each.sha256) {
      return failed({
        action: 'use',
        object: path,
        reason: 'its size or SHA-256 differs from that in the .dsc',
        hint: 'download it again',
      });
    }
  }
  return ok(undefined);
}

interface Parts {
  readonly base: string | undefined;
  /** Further upstream tarballs, with their target directories. */
  readonly components: readonly { readonly name: string; readonly directory: string }[];
  readonly debian: string | undefined;
  readonly diff: string | undefined;
}

function partsOf({ format, files }: SourcePackage): Parts {
  const names = files.map((each) => each.name);
  const named = (pattern: RegExp) => names.find((each) => pattern.test(each));
  return {
    base:
      named(format === '3.0 (native)' ? /\.tar\.\w+$/ : /\.orig\.tar\.\w+$/) ??
      named(/\.tar\.\w+$/),
    components: names.flatMap((name) => {
      const directory = /\.orig-([A-Za-z0-9-]+)\.tar\.\w+$/.exec(name)?.[1];
      return directory === undefined ? [] : [{ name, directory }];
    }),
    debian: named(/\.debian\.tar\.\w+$/),
    diff: named(/\.diff\.gz$/),
  };
}

async function unpackAll(
  source: SourcePackage,
  from: string,
  directory: string,
): Promise<Result<UnpackedSource, Problem>> {
  const parts = partsOf(source);
  if (parts.base === undefined) throw new FormatError('names no source tarball', 0);
  mkdirSync(directory, { mode: 0o700 });
  const notes: string[] = [];
  const tarballs = [
    { name: parts.base, place: withoutTop },
    ...parts.components.map(({ name, directory: below }) => ({ name, place: underneath(below) })),
    ...(parts.debian === undefined ? [] : [{ name: parts.debian, place: keep }]),
  ];
  for (const { name, place } of tarballs) {
    // The packaging replaces any such directory of upstream's. Source: dpkg-source(1), 3.0 (quilt).
    if (name === parts.debian) rmSync(join(directory, 'debian'), { recursive: true, force: true });
    const result = await unpackTarball(join(from, name), directory, place, notes);
    if (!result.ok) return result;
  }
  const patched =
    parts.diff === undefined
      ? applySeries(directory, notes)
      : await applyDiff(join(from, parts.diff), directory, notes);
  if (!patched.ok) return patched;
  return ok({ source: source.source, version: source.version, directory, notes });
}

const keep = (path: string) => path;

function withoutTop(path: string): string | undefined {
  const slash = path.indexOf('/');
  return slash < 0 ? undefined : path.slice(slash + 1);
}

const underneath = (directory: string) => (path: string) => {
  const rest = withoutTop(path);
  return rest === undefined ? undefined : `${directory}/${rest}`;
};

async function unpackTarball(
  path: string,
  directory: string,
  place: (path: string) => string | undefined,
  notes: string[],
): Promise<Result<undefined, Problem>> {
  const opened = await openArchive(path);
  if (!opened.ok) return opened;
  if (opened.value === 'not an archive')
    return failed({ action: 'unpack', object: path, reason: 'it is not a tarball' });
  using archive = opened.value;
  const result = await unpackBeside(archive, directory, place);
  if (!result.ok) return result;
  notes.push(...result.value.skipped.map((each) => `${basename(path)}: ${each.path}: ${each.why}`));
  return ok(undefined);
}

/**
 * Applies debian/patches/series: names of patches, one a line; options behind a name are quilt's.
 */
function applySeries(directory: string, notes: string[]): Result<undefined, Problem> {
  const patches = join(directory, 'debian/patches');
  const series = join(patches, 'series');
  if (statSync(series, { throwIfNoEntry: false })?.isFile() !== true) return ok(undefined);
  const lines = readFileSync(series, 'utf8').split('\n', maxPatches);
  const names = lines
    .map((line) => line.replace(/(^|\s)#.*/, '').trim())
    .filter((line) => line !== '');
  for (const name of names) {
    if (!/^[\w.+~-]+(\/[\w.+~-]+)*$/.test(name) || name.includes('..')) {
      return failed({
        action: 'apply the patch',
        object: name,
        reason: 'its name or options are not supported',
      });
    }
    const text = readBounded(join(patches, name), maxPatchBytes);
    if (!text.ok) return text;
    const applied = applyPatch(text.value, directory, name, notes);
    if (applied === undefined) return ok(undefined);
    if (!applied.ok) return applied;
  }
  return ok(undefined);
}

async function applyDiff(
  path: string,
  directory: string,
  notes: string[],
): Promise<Result<undefined, Problem>> {
  const opened = openFile(path, 'follow');
  if (!opened.ok) return opened;
  using file = opened.value;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of unpacked(file, 0, file.bytes)) {
    bytes += piece.length;
    if (bytes > maxPatchBytes)
      return failed({ action: 'read', object: path, reason: 'it unpacks to more than the limit' });
    pieces.push(piece);
  }
  return applyPatch(Buffer.concat(pieces), directory, basename(path), notes) ?? ok(undefined);
}

/** Applies a patch; undefined when the program for it is missing, which is noted. */
function applyPatch(
  text: Uint8Array,
  directory: string,
  name: string,
  notes: string[],
): Result<undefined, Problem> | undefined {
  let diffs: string;
  try {
    diffs = unifiedDiffsOf(Buffer.from(text).toString('latin1'));
  } catch (error) {
    return failed({ action: 'apply the patch', object: name, reason: archiveProblem(error) });
  }
  if (diffs === '') return ok(undefined);
  const args = [
    '-p1',
    '-u',
    '-t',
    '-N',
    '-s',
    '-F0',
    '--no-backup-if-mismatch',
    '-r',
    '-',
    '-d',
    directory,
  ];
  const run = spawnSync('patch', args, {
    input: Buffer.from(diffs, 'latin1'),
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TMPDIR: dirname(directory) },
    timeout: 60_000,
    killSignal: 'SIGKILL',
    maxBuffer: 1024 ** 2,
  });
  if (isMissing(run.error)) {
    notes.push(
      `The patches of the package are not applied: the program patch is not installed; install it (Debian: apt install patch)`,
    );
    return undefined;
  }
  if (run.error !== undefined)
    return failed({ action: 'run', object: 'patch', reason: reasonOf(run.error) });
  if (run.status === 0) return ok(undefined);
  const logged = run.stdout.toString('latin1').trim().split('\n', 3).join('; ').slice(0, 300);
  return failed({ action: 'apply the patch', object: name, reason: logged });
}

const isMissing = (error: NodeJS.ErrnoException | undefined) => error?.code === 'ENOENT';

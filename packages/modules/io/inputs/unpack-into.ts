/**
 * An archive's files, written into an empty directory of our own.
 *
 * No link is ever made from an archive's text, so nothing can be written through one. If a link
 * points to a file of the same archive, its place gets that file (a second name of it); all others
 * are reported.
 */
import {
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type ArchiveEntry, linkTargetInside, pathInside } from '../../core/packages/archive.ts';
import { failed, type Problem, type Cause } from '../../../base/problem.ts';
import { createNewFile } from '../../../base/io/replace-file.ts';
import { ok, type Result } from '../../../base/result.ts';
import {
  type Archive,
  archiveEvents,
  type ArchiveLimits,
  archiveLimits,
  archiveProblem,
} from './archives.ts';

interface Unpacked {
  readonly files: number;
  readonly bytes: number;
  /** Entries that were not written, and why; the first hundred. */
  readonly skipped: readonly { readonly path: string; readonly why: string }[];
}

/** Returns the path to write an entry to, or undefined to leave it out. */
type Placement = (path: string) => string | undefined;

const maxSkipped = 100;
const maxLinks = 100_000;
const maxHops = 16;
const maxDepth = 128;

/**
 * Unpacks the archive. A failure removes everything that was written; the directory itself stays.
 */
export async function unpackInto(
  archive: Archive,
  directory: string,
  place: Placement = (path) => path,
  limits: ArchiveLimits = archiveLimits,
): Promise<Result<Unpacked, Problem>> {
  const problem = directoryProblem(directory);
  if (problem !== undefined)
    return failed({ ...problem, action: 'unpack into', object: directory });
  const result = await unpackBeside(archive, directory, place, limits);
  if (!result.ok) empty(directory);
  return result;
}

/**
 * Unpacks into a directory that already holds files of ours, which are never replaced through a
 * link.
 */
export async function unpackBeside(
  archive: Archive,
  directory: string,
  place: Placement,
  limits: ArchiveLimits = archiveLimits,
): Promise<Result<Unpacked, Problem>> {
  const writer = new Writer(directory, place);
  try {
    for await (const event of archiveEvents(archive, limits, writer.skip)) {
      if (event.kind === 'entry') writer.entry(event.path, event.entry);
      else if (event.kind === 'data') writer.data(event.data);
      else writer.end();
    }
    writer.links();
    return ok(writer.result);
  } catch (error) {
    return failed({ action: 'unpack', object: archive.path, reason: archiveProblem(error) });
  } finally {
    writer.end();
  }
}

function directoryProblem(directory: string): Cause | undefined {
  const stat = lstatSync(directory, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isDirectory()) return { reason: 'it is not a directory' };
  if (stat.uid !== process.geteuid?.()) return { reason: 'it belongs to someone else' };
  if ((stat.mode & 0o077) !== 0)
    return { reason: 'others can enter it', hint: 'its mode must be 0700' };
  return readdirSync(directory).length > 0 ? { reason: 'it is not empty' } : undefined;
}

function empty(directory: string): void {
  for (const name of readdirSync(directory)) {
    rmSync(join(directory, name), { recursive: true, force: true });
  }
}

class Writer {
  readonly #directory: string;
  readonly #place: Placement;
  readonly #directories = new Set(['']);
  readonly #files = new Set<string>();
  readonly #links = new Map<string, string>();
  readonly #skipped: { path: string; why: string }[] = [];
  #bytes = 0;
  #fd: number | undefined;

  constructor(directory: string, place: Placement) {
    this.#directory = directory;
    this.#place = place;
  }

  get result(): Unpacked {
    return { files: this.#files.size, bytes: this.#bytes, skipped: this.#skipped };
  }

  readonly skip = (path: string, why: string): void => {
    if (this.#skipped.length < maxSkipped) this.#skipped.push({ path, why });
  };

  entry(stored: string, entry: ArchiveEntry): void {
    const placed = this.#place(stored);
    const safe = placed === undefined ? undefined : pathInside(placed);
    if (safe === undefined || !('path' in safe) || safe.path === '') return;
    if (safe.path.split('/').length > maxDepth) this.skip(stored, 'it is too deep');
    else if (entry.kind === 'directory') this.#makeDirectory(safe.path);
    else if (entry.kind === 'file') this.#open(safe.path, entry.mode);
    else if (entry.kind === 'other') this.skip(stored, 'it is not a regular file');
    else this.#link(stored, safe.path, entry);
  }

  #link(stored: string, path: string, entry: ArchiveEntry): void {
    const target =
      entry.kind === 'symlink' ? linkTargetInside(stored, entry.target) : hardTarget(entry.target);
    const placed = target === undefined ? undefined : this.#place(target);
    if (placed === undefined) this.skip(stored, 'it is a link to something outside');
    else if (this.#links.size >= maxLinks)
      this.skip(stored, `there are more than ${maxLinks} links`);
    else this.#links.set(path, placed);
  }

  /** Makes a directory and its parents; a file in the way is reported. */
  #makeDirectory(path: string): boolean {
    if (this.#directories.has(path)) return true;
    const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    if (!this.#makeDirectory(parent)) return false;
    const found = lstatSync(join(this.#directory, path), { throwIfNoEntry: false });
    if (found !== undefined && !found.isDirectory()) {
      this.skip(path, 'it is a directory here and a file elsewhere in the archive');
      return false;
    }
    if (found === undefined) mkdirSync(join(this.#directory, path), { mode: 0o700 });
    this.#directories.add(path);
    return true;
  }

  #free(path: string): boolean {
    const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    if (!this.#makeDirectory(parent)) return false;
    const found = lstatSync(join(this.#directory, path), { throwIfNoEntry: false });
    if (found?.isDirectory() === true) {
      this.skip(path, 'it is a file here and a directory elsewhere in the archive');
      return false;
    }
    // The later of two entries counts, as with tar.
    if (found !== undefined) unlinkSync(join(this.#directory, path));
    return true;
  }

  #open(path: string, mode: number): void {
    if (!this.#free(path)) return;
    const permissions = (mode & 0o100) === 0 ? 0o600 : 0o700;
    this.#fd = createNewFile(join(this.#directory, path), permissions);
    this.#links.delete(path);
    this.#files.add(path);
  }

  data(data: Uint8Array): void {
    if (this.#fd === undefined) return;
    for (let done = 0; done < data.length;) done += writeSync(this.#fd, data, done);
    this.#bytes += data.length;
  }

  end(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Makes the links after all files are there, since a link may come before its target. */
  links(): void {
    for (const [path, first] of this.#links) {
      let target = first;
      for (let hop = 0; hop < maxHops; hop++) target = this.#links.get(target) ?? target;
      if (!this.#files.has(target)) this.skip(path, 'it is a link to a directory, or to nothing');
      else if (this.#free(path))
        linkSync(join(this.#directory, target), join(this.#directory, path));
    }
  }
}

function hardTarget(target: string): string | undefined {
  const safe = pathInside(target);
  return 'path' in safe ? safe.path : undefined;
}

/**
 * Packages and tarballs, read without installing them: .deb, .rpm, .tar with any compression.
 *
 * Streaming and bounded: the archive is never in memory as a whole, and only requested entries are.
 * Names that lead out of the archive are reported and skipped.
 */
import { reasonOf } from '../../../base/io/errno.ts';
import { FormatError } from '../../core/elf/bytes.ts';
import { type ArMember, arMagic, readAr } from '../../core/packages/ar.ts';
import { type ArchiveEntry, type ArchiveEvent, pathInside } from '../../core/packages/archive.ts';
import { cpioReader } from '../../core/packages/cpio.ts';
import { debControl, paragraphsOf } from '../../core/packages/deb.ts';
import { type LicenseStatement, readLicenseTag } from '../../core/packages/copyright.ts';
import { readRpm, rpmMagic } from '../../core/packages/rpm.ts';
import { tarReader } from '../../core/packages/tar.ts';
import { failed, type Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import { type OpenFile, openFile } from './archive-files.ts';
import { compressionOf, unpacked, UnpackError } from './unpack-stream.ts';

export interface ArchiveLimits {
  /** The most files, directories and links. */
  readonly entries: number;
  /** The most bytes of everything in it, unpacked. */
  readonly bytes: number;
  /** The most bytes of one requested file. */
  readonly fileBytes: number;
}

export const archiveLimits: ArchiveLimits = {
  entries: 1_000_000,
  bytes: 16 * 1024 ** 3,
  fileBytes: 512 * 1024 ** 2,
};

interface PackageFacts {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** The license in the header of an .rpm; a .deb has it in a file. */
  readonly license: LicenseStatement | undefined;
}

export interface Archive extends Disposable {
  readonly path: string;
  readonly kind: 'deb' | 'rpm' | 'tar';
  readonly package: PackageFacts | undefined;
  /** The offset of the entries in the file. */
  readonly offset: number;
  readonly bytes: number;
  readonly file: OpenFile;
}

/** Opens an archive. Returns it, `not an archive`, or why it cannot be read. */
export async function openArchive(
  path: string,
  links: 'follow' | 'refuse' = 'follow',
): Promise<Result<Archive | 'not an archive', Problem>> {
  const opened = openFile(path, links);
  if (!opened.ok) return opened;
  const file = opened.value;
  try {
    const archive = await recognise(file);
    if (archive === 'not an archive') file[Symbol.dispose]();
    return ok(archive);
  } catch (error) {
    file[Symbol.dispose]();
    return failed({ action: 'read', object: path, reason: archiveProblem(error) });
  }
}

async function recognise(file: OpenFile): Promise<Archive | 'not an archive'> {
  const start = file.readAt(0, 512);
  if (Buffer.from(start).subarray(0, arMagic.length).toString('latin1') === arMagic) {
    return openDeb(file);
  }
  if (rpmMagic.every((byte, index) => start[index] === byte)) return openRpm(file);
  return (await isTar(file))
    ? { ...base(file), kind: 'tar', package: undefined }
    : 'not an archive';
}

const base = (file: OpenFile, offset = 0, bytes = file.bytes - offset) => ({
  path: file.path,
  file,
  offset,
  bytes,
  [Symbol.dispose]: () => file[Symbol.dispose](),
});

/** Whether the unpacked start is a tar header with the right checksum. */
async function isTar(file: OpenFile): Promise<boolean> {
  const packed = compressionOf(file.readAt(0, 8)) !== 'none';
  // A compressed module is not a tarball: only names show which file is worth unpacking.
  if (packed && !/\.(tar(\.\w+)?|t[gxb]z2?|tzst)$/i.test(file.path)) return false;
  if (!packed && file.bytes < 512) return false;
  const reader = tarReader();
  try {
    for await (const piece of unpacked(file, 0, packed ? file.bytes : 512)) {
      for (const event of reader.push(piece)) if (event.kind === 'entry') return true;
      if (reader.ended) return packed;
      if (!packed) return Buffer.from(piece).toString('latin1', 257, 262) === 'ustar';
    }
  } catch (error) {
    if (error instanceof FormatError && !packed) return false;
    throw error;
  }
  throw new FormatError('is cut short', 0);
}

async function openDeb(file: OpenFile): Promise<Archive> {
  const members = readAr(file.readAt, file.bytes);
  const control = memberOf(members, 'control.tar');
  const data = memberOf(members, 'data.tar');
  const source = {
    ...base(file, control.offset, control.bytes),
    kind: 'deb',
    package: undefined,
  } as const;
  const limits = { entries: 1000, bytes: 64 * 1024 ** 2, fileBytes: 1024 ** 2 };
  for await (const item of readArchive(source, (path) => path === 'control', limits)) {
    if (item.kind === 'problem') throw new UnpackError(`its control.tar: ${item.why}`);
    const [paragraph] = paragraphsOf(Buffer.from(item.contents).toString('utf8'));
    const facts = { ...debControl(paragraph), license: undefined };
    return { ...base(file, data.offset, data.bytes), kind: 'deb', package: facts };
  }
  throw new FormatError('has no file "control" in its control.tar', control.offset);
}

function memberOf(members: readonly ArMember[], name: string): ArMember {
  const found = members.find((each) => each.name === name || each.name.startsWith(`${name}.`));
  if (found === undefined) throw new FormatError(`is not a Debian package: it has no ${name}`, 8);
  return found;
}

function openRpm(file: OpenFile): Archive {
  const rpm = readRpm(file.readAt);
  if (rpm.payloadFormat !== 'cpio') {
    throw new FormatError(`has a payload of the format "${rpm.payloadFormat}"; cpio is read`, 0);
  }
  return {
    ...base(file, rpm.payloadOffset),
    kind: 'rpm',
    package: {
      name: rpm.name,
      version: `${rpm.version}-${rpm.release}`,
      architecture: rpm.architecture,
      license: rpm.license === undefined ? undefined : readLicenseTag(rpm.license),
    },
  };
}

/** Returns why reading failed, in words; a broken invariant is thrown again. */
export function archiveProblem(error: unknown): string {
  if (error instanceof FormatError) return `it ${error.message} (at byte ${error.offset})`;
  if (error instanceof UnpackError) return error.message;
  return reasonOf(error);
}

type SafeEvent = ArchiveEvent & { readonly path: string };

/**
 * Yields the entries whose names stay inside, and their data; throws errors that `archiveProblem`
 * describes.
 */
export async function* archiveEvents(
  archive: Archive,
  limits: ArchiveLimits,
  refused: (name: string, why: string) => void,
): AsyncGenerator<SafeEvent, void, void> {
  const reader = archive.kind === 'rpm' ? cpioReader() : tarReader();
  const count = counter(limits);
  let path: string | undefined;
  for await (const piece of unpacked(archive.file, archive.offset, archive.bytes)) {
    count.bytes(piece.length);
    for (const event of reader.push(piece)) {
      if (event.kind === 'entry') {
        count.entry();
        path = safePath(event.entry, refused);
      }
      if (path !== undefined) yield { ...event, path };
    }
    if (reader.ended) return;
  }
  reader.finish();
}

function safePath(entry: ArchiveEntry, refused: (name: string, why: string) => void) {
  const safe = pathInside(entry.name);
  if ('path' in safe) return safe.path;
  refused(entry.name.slice(0, 256), safe.why);
  return undefined;
}

function counter(limits: ArchiveLimits) {
  let entries = 0;
  let bytes = 0;
  return {
    entry(): void {
      if (++entries > limits.entries) {
        throw new UnpackError(`it has more than ${limits.entries} entries; the rest is not read`);
      }
    },
    bytes(more: number): void {
      bytes += more;
      if (bytes > limits.bytes) {
        throw new UnpackError(
          `it unpacks to more than ${limits.bytes} bytes; the rest is not read`,
        );
      }
    },
  };
}

export type ArchiveItem =
  | { readonly kind: 'file'; readonly path: string; readonly contents: Uint8Array }
  /**
   * A problem with one entry. `path` is empty when the archive itself is meant: nothing follows
   * then.
   */
  | { readonly kind: 'problem'; readonly path: string; readonly why: string };

const maxReports = 100;

/** Yields the wanted regular files, whole, in the order of the archive. */
export async function* readArchive(
  archive: Archive,
  wants: (path: string) => boolean,
  limits: ArchiveLimits = archiveLimits,
): AsyncGenerator<ArchiveItem, void, void> {
  const reports: ArchiveItem[] = [];
  const report = (path: string, why: string) => {
    if (reports.length < maxReports) reports.push({ kind: 'problem', path, why });
  };
  let gathered: Gathering | undefined;
  try {
    for await (const event of archiveEvents(archive, limits, report)) {
      if (event.kind === 'entry') gathered = gatheringOf(event, wants, limits, report);
      else if (event.kind === 'data') gathered?.add(event.data);
      else if (gathered !== undefined) {
        yield { kind: 'file', path: event.path, contents: gathered.whole() };
        gathered = undefined;
      }
    }
  } catch (error) {
    reports.push({ kind: 'problem', path: '', why: archiveProblem(error) });
  }
  yield* reports;
}

function gatheringOf(
  { path, entry }: { readonly path: string; readonly entry: ArchiveEntry },
  wants: (path: string) => boolean,
  limits: ArchiveLimits,
  report: (path: string, why: string) => void,
): Gathering | undefined {
  if (entry.kind === 'directory' || !wants(path)) return undefined;
  if (entry.kind !== 'file') {
    const link = entry.kind === 'symlink' || entry.kind === 'hard link';
    report(
      path,
      link ? 'it is a link; links in archives are not followed' : 'it is not a regular file',
    );
    return undefined;
  }
  if (entry.bytes > limits.fileBytes) {
    report(
      path,
      `it has ${entry.bytes} bytes; files of more than ${limits.fileBytes} are not read`,
    );
    return undefined;
  }
  return gathering();
}

interface Gathering {
  readonly add: (data: Uint8Array) => void;
  readonly whole: () => Uint8Array;
}

/** Gathers pieces; it grows with the real bytes, not with a header's promise. */
function gathering(): Gathering {
  const pieces: Uint8Array[] = [];
  return {
    add: (data) => void pieces.push(data),
    whole: () => Buffer.concat(pieces),
  };
}

/**
 * tar: headers of 512 bytes, each followed by its contents, padded to 512. ustar with its prefix,
 * GNU long names (types L and K) and base-256 sizes, pax headers (type x: `path`, `linkpath`,
 * `size`).
 *
 * The first block of zeros ends the archive. Sparse files are given as `other`: the stored bytes
 * are not their contents. Source: POSIX pax, GNU tar manual "Basic Tar Format".
 */
import { FormatError, bytesAsText } from '../elf/bytes.ts';
import {
  type ArchiveEntry,
  ArchiveReader,
  maxHeaderBytes,
  maxNameBytes,
  type ReadStep,
} from './archive.ts';

export const tarReader = () => new ArchiveReader(tarSteps);

const block = 512;
/**
 * The most headers before one entry: an archive of nothing but those would never come to an end.
 */
const maxExtensions = 16;

interface Extension {
  readonly name?: string;
  readonly target?: string;
  readonly bytes?: number;
  readonly sparse?: boolean;
}

type TarSteps<T> = Generator<ReadStep, T, Uint8Array>;

function* tarSteps(at: () => number): TarSteps<void> {
  let extension: Extension = {};
  let extensions = 0;
  for (;;) {
    const offset = at();
    const header: Uint8Array = yield { step: 'take', bytes: block };
    if (header.every((byte) => byte === 0)) return;
    checkSum(header, offset);
    const type = String.fromCharCode(header[156] ?? 0);
    if (!'LKxg'.includes(type)) {
      const entry = entryOf(header, type, extension, offset);
      yield { step: 'entry', entry, bytes: entry.bytes };
      yield { step: 'skip', bytes: padding(entry.bytes) };
      extension = {};
      extensions = 0;
      continue;
    }
    if (++extensions > maxExtensions) {
      throw new FormatError(
        `has more than ${maxExtensions} extension headers before a file`,
        offset,
      );
    }
    extension = { ...extension, ...(yield* extensionOf(header, type, offset)) };
  }
}

const padding = (bytes: number) => (block - (bytes % block)) % block;

function* extensionOf(header: Uint8Array, type: string, offset: number): TarSteps<Extension> {
  const bytes = sizeOf(header, offset);
  const max = type === 'x' || type === 'g' ? maxHeaderBytes : maxNameBytes + 1;
  if (bytes > max) {
    throw new FormatError(
      `has a name or header of ${bytes} bytes; at most ${max} are read`,
      offset,
    );
  }
  const body: Uint8Array = yield { step: 'take', bytes };
  yield { step: 'skip', bytes: padding(bytes) };
  if (type === 'L') return { name: cString(body, 0, body.length) };
  if (type === 'K') return { target: cString(body, 0, body.length) };
  return type === 'x' ? paxOf(body, offset) : {};
}

/** Parses pax records, `LENGTH KEY=VALUE\n`. The length counts the whole record. */
function paxOf(body: Uint8Array, offset: number): Extension {
  const extension: Extension = {};
  for (let start = 0; start < body.length;) {
    const space = body.indexOf(0x20, start);
    const length = Number(cString(body, start, space < 0 || space - start > 8 ? start : space));
    const end = start + length;
    if (!Number.isInteger(length) || length < 5 || end > body.length || body[end - 1] !== 0x0a) {
      throw new FormatError('has a damaged pax header', offset);
    }
    const record = bytesAsText(body.subarray(space + 1, end - 1));
    const equals = record.indexOf('=');
    const value = record.slice(equals + 1);
    Object.assign(extension, paxField(record.slice(0, Math.max(equals, 0)), value, offset));
    start = end;
  }
  return extension;
}

function paxField(key: string, value: string, offset: number): Extension {
  if (key.startsWith('GNU.sparse.')) return { sparse: true };
  if (key === 'path') return { name: value };
  if (key === 'linkpath') return { target: value };
  if (key !== 'size') return {};
  if (!/^\d{1,15}$/.test(value))
    throw new FormatError('has a pax header with an invalid size', offset);
  return { bytes: Number(value) };
}

const kinds: Readonly<Record<string, ArchiveEntry['kind']>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'hard link',
  '2': 'symlink',
  '5': 'directory',
};

function entryOf(header: Uint8Array, type: string, more: Extension, offset: number): ArchiveEntry {
  const name = more.name ?? nameOf(header);
  const stored = more.bytes ?? sizeOf(header, offset);
  const kind = more.sparse === true ? 'other' : (kinds[type] ?? 'other');
  return {
    name,
    kind: kind === 'file' && name.endsWith('/') ? 'directory' : kind,
    // A link or directory has no contents, whatever the size field has.
    bytes: kind === 'file' || kind === 'other' ? stored : 0,
    mode: (octal(header, 100, 8) ?? 0) & 0o7777,
    target: more.target ?? cString(header, 157, 257),
  };
}

function nameOf(header: Uint8Array): string {
  const name = cString(header, 0, 100);
  // GNU's older format ("ustar  ") has times in the place of the prefix.
  const posix = cString(header, 257, 263) === 'ustar' && header[262] === 0;
  const prefix = posix ? cString(header, 345, 500) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function sizeOf(header: Uint8Array, offset: number): number {
  const size = (header[124] ?? 0) & 0x80 ? base256(header, 124, 12) : octal(header, 124, 12);
  if (size === undefined || !Number.isSafeInteger(size) || size < 0) {
    throw new FormatError('has a file with an invalid size', offset + 124);
  }
  return size;
}

/** Reads a big endian number behind one marked bit; that bit also refuses negative sizes. */
function base256(bytes: Uint8Array, start: number, length: number): number | undefined {
  if (bytes[start] !== 0x80) return undefined;
  return bytes.subarray(start + 1, start + length).reduce((sum, byte) => sum * 256 + byte, 0);
}

function octal(bytes: Uint8Array, start: number, length: number): number | undefined {
  const text = cString(bytes, start, start + length).trim();
  if (text === '') return 0;
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

function checkSum(header: Uint8Array, offset: number): void {
  let sum = 0;
  for (let index = 0; index < block; index++) {
    sum += index >= 148 && index < 156 ? 0x20 : (header[index] ?? 0);
  }
  if (octal(header, 148, 8) !== sum) throw new FormatError('is not a tar archive here', offset);
}

function cString(bytes: Uint8Array, start: number, end: number): string {
  const part = bytes.subarray(start, end);
  const nul = part.indexOf(0);
  return bytesAsText(nul < 0 ? part : part.subarray(0, nul));
}

/**
 * An .rpm: a lead of 96 bytes, a header of signatures (padded to 8), the header, then the payload
 * (a cpio, compressed). Both headers have the same layout: magic 8e ad e8 01, 4 reserved bytes, the
 * number of index entries, the bytes of data. Then come entries of 16 bytes (tag, type, offset,
 * count), then the data. All numbers big endian. Signatures are not checked. Source: rpm's
 * docs/manual/format_v4.md.
 */
import { ByteView, FormatError } from '../elf/bytes.ts';
import type { ReadAt } from './ar.ts';

interface RpmPackage {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  readonly architecture: string;
  /** The License tag; undefined when there is none. */
  readonly license: string | undefined;
  /** The file name of the source package; undefined for a source package itself. */
  readonly sourceRpm: string | undefined;
  /** The compressor: `xz`, `zstd`, `gzip`, …; rpm's default is gzip. */
  readonly payloadCompressor: string;
  readonly payloadFormat: string;
  readonly payloadOffset: number;
}

export const rpmMagic: readonly number[] = [0xed, 0xab, 0xee, 0xdb];

const leadBytes = 96;
const introBytes = 16;
const maxEntries = 65_535;
const maxDataBytes = 64 * 1024 * 1024;
const maxTextBytes = 4096;

const tags = {
  name: 1000,
  version: 1001,
  release: 1002,
  license: 1014,
  architecture: 1022,
  sourceRpm: 1044,
  payloadFormat: 1124,
  payloadCompressor: 1125,
} as const;
const wanted = new Map<number, keyof typeof tags>(
  Object.entries(tags).map(([name, tag]) => [tag, name as keyof typeof tags]),
);

/** Reads the headers. Throws FormatError. */
export function readRpm(readAt: ReadAt): RpmPackage {
  const lead = readAt(0, leadBytes);
  if (!rpmMagic.every((byte, index) => lead[index] === byte))
    throw new FormatError('is not an rpm', 0);
  const signatures = sizesOf(readAt, leadBytes);
  const start = leadBytes + Math.ceil(signatures.total / 8) * 8;
  const sizes = sizesOf(readAt, start);
  const fields = fieldsOf(readAt(start, sizes.total), sizes.entries, start);
  const need = (field: keyof typeof tags): string => {
    const value = fields.get(field);
    if (value === undefined) throw new FormatError(`has no ${field} in its header`, start);
    return value;
  };
  return {
    name: need('name'),
    version: need('version'),
    release: need('release'),
    architecture: need('architecture'),
    license: fields.get('license'),
    sourceRpm: fields.get('sourceRpm'),
    payloadCompressor: fields.get('payloadCompressor') ?? 'gzip',
    payloadFormat: fields.get('payloadFormat') ?? 'cpio',
    payloadOffset: start + sizes.total,
  };
}

function sizesOf(readAt: ReadAt, offset: number) {
  const intro = new ByteView(readAt(offset, introBytes), false);
  if (intro.length < introBytes || intro.u32(0) !== 0x8eade801) {
    throw new FormatError('has no header of an rpm here', offset);
  }
  const entries = intro.u32(8);
  const data = intro.u32(12);
  if (entries > maxEntries || data > maxDataBytes) {
    throw new FormatError(
      `has a header of ${entries} entries and ${data} bytes; at most ${maxEntries} and ${maxDataBytes} are read`,
      offset,
    );
  }
  return { entries, total: introBytes + entries * 16 + data };
}

/** Returns the wanted tags that are text (types 6 and 9); the first one if a tag is there twice. */
function fieldsOf(bytes: Uint8Array, entries: number, at: number) {
  const view = new ByteView(bytes, false);
  const data = introBytes + entries * 16;
  const fields = new Map<keyof typeof tags, string>();
  for (let index = 0; index < entries; index++) {
    const entry = introBytes + index * 16;
    const field = wanted.get(view.u32(entry));
    const type = view.u32(entry + 4);
    if (field === undefined || fields.has(field) || (type !== 6 && type !== 9)) continue;
    const start = data + view.u32(entry + 8);
    const end = start < bytes.length ? bytes.indexOf(0, start) : -1;
    if (end < 0 || end - start > maxTextBytes) {
      throw new FormatError(`has a ${field} that does not end`, at + entry);
    }
    fields.set(field, view.text(start, end));
  }
  return fields;
}

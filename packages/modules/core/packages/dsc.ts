/**
 * A .dsc: the files of a Debian source package, and their checksums. It is normally clear-signed
 * with OpenPGP; the signature is not checked.
 *
 *   Format: 3.0 (quilt)
 *   Checksums-Sha256:
 *    HEX 12345 name_1.0.orig.tar.xz
 */
import { FormatError } from '../elf/bytes.ts';
import { paragraphsOf } from './deb.ts';

export interface SourceFile {
  /** A plain name, without directories. */
  readonly name: string;
  readonly bytes: number;
  /** The checksum, hexadecimal in lower case. */
  readonly sha256: string;
}

export interface SourcePackage {
  readonly source: string;
  readonly version: string;
  readonly format: '1.0' | '3.0 (native)' | '3.0 (quilt)';
  readonly files: readonly SourceFile[];
}

const maxFiles = 64;
const formats = ['1.0', '3.0 (native)', '3.0 (quilt)'] as const;

/** Parses a .dsc. Throws FormatError. */
export function readDsc(text: string): SourcePackage {
  const fields = paragraphsOf(text).find((each) => each.has('source'));
  const format = formats.find((each) => each === fields?.get('format'));
  if (fields === undefined) throw new FormatError('has no field Source', 0);
  if (format === undefined) {
    throw new FormatError(
      `has the format "${fields.get('format') ?? ''}"; ${formats.join(', ')} are read`,
      0,
    );
  }
  const lines = (fields.get('checksums-sha256') ?? '').split('\n').filter((line) => line !== '');
  if (lines.length === 0)
    throw new FormatError('has no SHA-256 of its files (Checksums-Sha256)', 0);
  if (lines.length > maxFiles) throw new FormatError(`names more than ${maxFiles} files`, 0);
  return {
    source: fields.get('source') ?? '',
    version: fields.get('version') ?? '',
    format,
    files: lines.map(fileOf),
  };
}

function fileOf(line: string): SourceFile {
  const [, sha256 = '', bytes = '', name = ''] =
    /^([0-9a-f]{64}) (\d{1,15}) ([A-Za-z0-9][A-Za-z0-9+.~_:-]{0,254})$/.exec(line) ?? [];
  if (name === '')
    throw new FormatError(`has a line that is not a file and checksum: "${line}"`, 0);
  return { name, bytes: Number(bytes), sha256 };
}

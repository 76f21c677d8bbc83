/**
 * cpio "newc": the format of an .rpm's payload and of an initramfs. An entry is a header, the name
 * with its NUL, and the contents; name and contents are padded to 4. The header has 110 ASCII
 * characters: magic 070701 or 070702, then 13 fields of 8 hexadecimal digits. `TRAILER!!!` ends it.
 *
 * If a file has several names, the last one holds the contents; the others are empty files here.
 * Source: Documentation/driver-api/early-userspace/buffer-format.rst.
 */
import { FormatError, bytesAsText } from '../elf/bytes.ts';
import { type ArchiveEntry, ArchiveReader, maxNameBytes, type ReadStep } from './archive.ts';

export const cpioReader = () => new ArchiveReader(cpioSteps);

const headerBytes = 110;
const trailer = 'TRAILER!!!';

function* cpioSteps(at: () => number): Generator<ReadStep, void, Uint8Array> {
  for (;;) {
    const offset = at();
    const header = bytesAsText(yield { step: 'take', bytes: headerBytes });
    const fields = fieldsOf(header, offset);
    const name = bytesAsText((yield { step: 'take', bytes: fields.nameBytes }).subarray(0, -1));
    yield { step: 'skip', bytes: padding(headerBytes + fields.nameBytes) };
    if (name === trailer) return;
    const kind = kinds[fields.mode & 0o170000] ?? 'other';
    // A link's target is its contents.
    if (kind === 'symlink' && fields.bytes > maxNameBytes) {
      throw new FormatError(`has a link of ${fields.bytes} bytes`, offset);
    }
    const target =
      kind === 'symlink' ? bytesAsText(yield { step: 'take', bytes: fields.bytes }) : '';
    const bytes = kind === 'symlink' ? 0 : fields.bytes;
    yield {
      step: 'entry',
      entry: { name, kind, bytes, mode: fields.mode & 0o7777, target },
      bytes,
    };
    yield { step: 'skip', bytes: padding(fields.bytes) };
  }
}

const padding = (bytes: number) => (4 - (bytes % 4)) % 4;

const kinds: Readonly<Record<number, ArchiveEntry['kind']>> = {
  0o040000: 'directory',
  0o100000: 'file',
  0o120000: 'symlink',
};

function fieldsOf(header: string, offset: number) {
  if (header.startsWith('07070X')) {
    throw new FormatError('uses the cpio form for files over 4 GiB, which is not read', offset);
  }
  if (!/^07070[12][0-9a-f]{104}$/i.test(header))
    throw new FormatError('is not a cpio archive here', offset);
  const field = (index: number) => Number.parseInt(header.substr(6 + 8 * index, 8), 16);
  const nameBytes = field(11);
  if (nameBytes < 1 || nameBytes > maxNameBytes + 1) {
    throw new FormatError(
      `has a name of ${nameBytes} bytes; at most ${maxNameBytes} are read`,
      offset,
    );
  }
  return { mode: field(1), bytes: field(6), nameBytes };
}

/** Archives byte by byte, so that a test can say what no honest program would write. */
import type { ArchiveReader } from '../../../core/packages/archive.ts';

export interface TarFile {
  readonly name: string;
  readonly contents?: string | Uint8Array;
  readonly type?: string;
  readonly target?: string;
  /** Instead of the real one, as it stands in the header. */
  readonly size?: string | Uint8Array;
  readonly mode?: number;
}

export function tarFile(file: TarFile): Buffer {
  const contents = Buffer.from(file.contents ?? '');
  const header = Buffer.alloc(512);
  header.write(file.name, 0, 100);
  header.write((file.mode ?? 0o644).toString(8).padStart(7, '0'), 100);
  const size = file.size ?? contents.length.toString(8).padStart(11, '0');
  if (typeof size === 'string') header.write(size, 124, 12, 'latin1');
  else header.set(size, 124);
  header.write(file.type ?? '0', 156);
  header.write(file.target ?? '', 157, 100);
  header.write('ustar\u{0}00', 257, 'latin1');
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([header, contents, Buffer.alloc((512 - (contents.length % 512)) % 512)]);
}

export const tar = (...files: readonly TarFile[]): Buffer =>
  Buffer.concat([...files.map(tarFile), Buffer.alloc(1024)]);

export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (`${length}${rest}`.length !== length) length = `${length}${rest}`.length;
  return `${length}${rest}`;
}

export interface CpioFile {
  readonly name: string;
  readonly contents?: string | Uint8Array;
  readonly mode?: number;
  readonly nameBytes?: number;
}

function cpioFile(file: CpioFile): Buffer {
  const contents = Buffer.from(file.contents ?? '');
  const name = Buffer.from(`${file.name}\0`);
  const fields = [1, file.mode ?? 0o100644, 0, 0, 1, 0, contents.length, 0, 0, 0, 0];
  const numbers = [...fields, file.nameBytes ?? name.length, 0];
  const header = `070701${numbers.map((each) => each.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(header), name])), padded(contents)]);
}

const padded = (bytes: Buffer) =>
  Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);

export const cpio = (...files: readonly CpioFile[]): Buffer =>
  Buffer.concat([...files, { name: 'TRAILER!!!' }].map(cpioFile));

/** Tags → text; the payload stands behind. */
export function rpm(tags: Readonly<Record<number, string>>, payload: Uint8Array): Buffer {
  const lead = Buffer.alloc(96);
  lead.set([0xed, 0xab, 0xee, 0xdb, 3]);
  const signatures = rpmHeader({ 1000: 'x' });
  const gap = Buffer.alloc((8 - (signatures.length % 8)) % 8);
  return Buffer.concat([lead, signatures, gap, rpmHeader(tags), payload]);
}

function rpmHeader(tags: Readonly<Record<number, string>>): Buffer {
  const intro = Buffer.alloc(16);
  const index: Buffer[] = [];
  let data = '';
  for (const [tag, text] of Object.entries(tags)) {
    const entry = Buffer.alloc(16);
    entry.writeUInt32BE(Number(tag), 0);
    entry.writeUInt32BE(6, 4);
    entry.writeUInt32BE(data.length, 8);
    entry.writeUInt32BE(1, 12);
    index.push(entry);
    data += `${text}\0`;
  }
  intro.writeUInt32BE(0x8eade801, 0);
  intro.writeUInt32BE(index.length, 8);
  intro.writeUInt32BE(data.length, 12);
  return Buffer.concat([intro, ...index, Buffer.from(data)]);
}

/** A line an entry, `kind name`, with target or contents; pieces of so many bytes. */
export function listed(
  reader: ArchiveReader,
  bytes: Uint8Array,
  pieceBytes = 7,
): readonly string[] {
  const lines: string[] = [];
  for (let offset = 0; offset < bytes.length; offset += pieceBytes) {
    for (const event of reader.push(bytes.subarray(offset, offset + pieceBytes))) {
      if (event.kind === 'entry') {
        const { kind, name, target } = event.entry;
        lines.push(`${kind} ${name}${target === '' ? '' : ` -> ${target}`}: `);
      } else if (event.kind === 'data') {
        lines.push(`${lines.pop() ?? ''}${Buffer.from(event.data).toString('latin1')}`);
      }
    }
  }
  reader.finish();
  return lines;
}

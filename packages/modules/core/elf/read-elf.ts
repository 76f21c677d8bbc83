/**
 * The header and the section table of an object file, each offset, size and index checked before it
 * is used.
 * Source: System V ABI, chapter 4; elf(5).
 */
import { fail, ok, type Result } from '../../../base/result.ts';
import { ByteView, FormatError, type FormatProblem } from './bytes.ts';
import { layouts, machines, sectionTypes, type Encoding, type Section } from './elf-format.ts';
import { Elf } from './elf.ts';
import { NameReader } from './names.ts';

const encodings: readonly (Encoding & { readonly machine: number })[] = [
  { machine: machines.x8664, bits: 64, littleEndian: true },
  { machine: machines.i386, bits: 32, littleEndian: true },
  { machine: machines.s390, bits: 64, littleEndian: false },
  ...[true, false].flatMap((littleEndian) => [
    { machine: machines.arm64, bits: 64 as const, littleEndian },
    { machine: machines.ppc64, bits: 64 as const, littleEndian },
    { machine: machines.arm, bits: 32 as const, littleEndian },
  ]),
];

/**
 * Returns the encoding that a kernel of the file's machine uses. That kernel takes its own width
 * and order, whatever `e_ident` states: only the machine, as it reads it, must be its own.
 * Undefined for machines that leave it open.
 */
export function kernelEncoding(bytes: Uint8Array): Encoding | undefined {
  const [first = 0, second = 0] = bytes.subarray(18, 20);
  return encodings.find(
    ({ machine, littleEndian }) =>
      machine === (littleEndian ? first + second * 256 : first * 256 + second),
  );
}

/**
 * Reads the header and the section table; the error has the offset. The width
 * and byte order of the header count unless an encoding is given.
 */
export function readElf(bytes: Uint8Array, encoding?: Encoding): Result<Elf, FormatProblem> {
  try {
    return ok(parse(bytes, encoding));
  } catch (error) {
    if (error instanceof FormatError) return fail({ message: error.message, offset: error.offset });
    throw error;
  }
}

function parse(bytes: Uint8Array, encoding: Encoding | undefined): Elf {
  const magic = bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
  if (!magic) throw new FormatError('is not an ELF file', 0);
  const { bits, littleEndian } = encoding ?? statedEncoding(bytes);
  const view = new ByteView(bytes, littleEndian);
  const names = new NameReader(bytes);
  const [type, machine] = [view.u16(16), view.u16(18)];
  const { sections, sectionNames } = readSections(view, names, bits);
  return new Elf(view, names, bits, type, machine, sections, sectionNames);
}

/** Returns the encoding that `e_ident` states. Throws `FormatError`. */
function statedEncoding([, , , , width, order]: Uint8Array): Encoding {
  if (width !== 1 && width !== 2) throw new FormatError('is of neither 32 nor 64 bits', 4);
  if (order !== 1 && order !== 2) throw new FormatError('has no known byte order', 5);
  return { bits: width === 2 ? 64 : 32, littleEndian: order === 1 };
}

function readSections(
  view: ByteView,
  names: NameReader,
  bits: 32 | 64,
): Pick<Elf, 'sections' | 'sectionNames'> {
  const wide = bits === 64;
  const { sectionBytes, headerBytes } = layouts[bits];
  const table = wide ? view.u64(40) : view.u32(32);
  const at = (offset: number) => headerBytes - 6 + offset;
  const [entryBytes, count, namesIndex] = [view.u16(at(0)), view.u16(at(2)), view.u16(at(4))];
  if (entryBytes !== sectionBytes)
    throw new FormatError(`has section headers of ${entryBytes} bytes`, at(0));
  if (count === 0 || table === 0) throw new FormatError('has no sections', at(2));
  if (table + count * sectionBytes > view.length) {
    throw new FormatError(`has a table of ${count} sections that ends outside the file`, table);
  }
  const strings = namesSection(view, bits, table, count, namesIndex, at(4));
  const sections: Section[] = [];
  for (let index = 0; index < count; index++) {
    const headerAt = table + index * sectionBytes;
    const name = sectionName(view, names, strings, headerAt);
    const section = wide
      ? wideSection(view.data, view.littleEndian, headerAt, index, name)
      : narrowSection(view.data, view.littleEndian, headerAt, index, name);
    checkBounds(section, view);
    sections.push(section.type === sectionTypes.null ? withinFile(section, view) : section);
  }
  return { sections, sectionNames: sections[strings.index]! };
}

function namesSection(
  view: ByteView,
  bits: 32 | 64,
  table: number,
  count: number,
  index: number,
  indexOffset: number,
): Section {
  if (index === 0 || index >= count)
    throw new FormatError('has no section name table', indexOffset);
  const at = table + index * layouts[bits].sectionBytes;
  const read = bits === 64 ? wideSection : narrowSection;
  const strings = read(view.data, view.littleEndian, at, index, '');
  if (strings.type !== sectionTypes.strtab || strings.size === 0)
    throw new FormatError('has no section name table', at);
  checkBounds(strings, view);
  return strings;
}

/**
 * Returns a section's name. The kernel finds sections by name whatever their type; nothing checks
 * the name of an unused (NULL) one.
 */
function sectionName(view: ByteView, names: NameReader, strings: Section, at: number): string {
  const offset = view.u32(at);
  if (offset >= strings.size) {
    if (view.u32(at + 4) === sectionTypes.null) return '';
    throw new FormatError('has a section whose name is outside the string table', at);
  }
  return names.read(strings.offset + offset, strings.offset + strings.size);
}

function wideSection(
  data: DataView,
  little: boolean,
  at: number,
  index: number,
  name: string,
): Section {
  const [high, low] = little ? [4, 0] : [0, 4];
  const word = (offset: number) =>
    data.getUint32(at + offset + high, little) * 2 ** 32 +
    data.getUint32(at + offset + low, little);
  return {
    index,
    name,
    type: data.getUint32(at + 4, little),
    flags: word(8),
    address: word(16),
    offset: word(24),
    size: word(32),
    link: data.getUint32(at + 40, little),
    info: data.getUint32(at + 44, little),
    entryBytes: word(56),
    headerOffset: at,
  };
}

function narrowSection(
  data: DataView,
  little: boolean,
  at: number,
  index: number,
  name: string,
): Section {
  const word = (offset: number) => data.getUint32(at + offset, little);
  return {
    index,
    name,
    type: word(4),
    flags: word(8),
    address: word(12),
    offset: word(16),
    size: word(20),
    link: word(24),
    info: word(28),
    entryBytes: word(36),
    headerOffset: at,
  };
}

/**
 * Returns the section with its bounds clipped to the file. The kernel does not check the bounds of
 * an unused (NULL) section, and reads what is there.
 */
function withinFile(section: Section, { length }: ByteView): Section {
  if (section.index === 0) return section;
  const offset = Math.min(section.offset, length);
  return { ...section, offset, size: Math.min(section.size, length - offset) };
}

function checkBounds(section: Section, view: ByteView): void {
  if (section.type === sectionTypes.null || section.type === sectionTypes.nobits) return;
  if (section.offset + section.size > view.length) {
    throw new FormatError(
      `has a section of ${section.size} bytes that ends outside the file`,
      section.headerOffset,
    );
  }
}

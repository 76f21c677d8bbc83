/**
 * The CRCs that a module was built against: `__versions`, and since Linux 6.14 also
 * `__version_ext_crcs` and `__version_ext_names`, for names that do not fit.
 *
 * `__versions` has records of 64 bytes, an `unsigned long` and a name; the extended form has 32-bit
 * numbers and as many strings. Both count only when they are marked to be loaded (ALLOC). Source:
 * kernel/module/version.c.
 */
import { FormatError } from '../elf/bytes.ts';
import { sectionTypes, type Section } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';

export interface VersionTable {
  /** Whether there is a table that the loader uses, even an empty one. */
  readonly present: boolean;
  /** The first entry of each name, as the loader finds it. */
  readonly crcs: ReadonlyMap<string, number>;
}

export interface SymbolVersions {
  readonly plain: VersionTable;
  /** The extended table; if it is there and known to the kernel, the plain one is ignored. */
  readonly extended: VersionTable;
}

const recordBytes = 64;
/** The most records that are read; a whole kernel exports a quarter of this. */
const recordsMax = 2 ** 17;

/** Reads the tables. Throws `FormatError`. */
export function readVersions(elf: Elf): SymbolVersions {
  const crcs = new Map<string, number>();
  const table = contents(elf, '__versions');
  if (table !== undefined) readTable(elf, table, crcs);
  return { plain: { present: table !== undefined, crcs }, extended: readExtendedTable(elf) };
}

function readExtendedTable(elf: Elf): VersionTable {
  const crcs = new Map<string, number>();
  const numbers = contents(elf, '__version_ext_crcs');
  const names = contents(elf, '__version_ext_names');
  const present = numbers !== undefined && names !== undefined;
  if (present) readExtended(elf, numbers, names, crcs);
  return { present, crcs };
}

function contents(elf: Elf, name: string): Section | undefined {
  const section = elf.loadedSection(name);
  if (section?.type === sectionTypes.nobits) return undefined;
  if (section !== undefined && section.size > recordsMax * recordBytes) {
    throw new FormatError(`has more versions in "${name}" than any module`, section.offset);
  }
  return section;
}

/** Reads records backwards, so that the first entry of a name stays. */
function readTable(elf: Elf, table: Section, crcs: Map<string, number>): void {
  const { view, bits } = elf;
  const count = Math.floor(table.size / recordBytes);
  for (let index = count - 1; index >= 0; index--) {
    const at = table.offset + index * recordBytes;
    const crc = bits === 64 ? view.u64(at) : view.u32(at);
    crcs.set(elf.names.read(at + bits / 8, at + recordBytes), crc);
  }
}

function readExtended(elf: Elf, numbers: Section, names: Section, crcs: Map<string, number>): void {
  const end = names.offset + names.size;
  let nameAt = names.offset;
  for (let at = 0; at + 4 <= numbers.size && nameAt < end; at += 4) {
    const name = elf.names.read(nameAt, end);
    if (!crcs.has(name)) crcs.set(name, elf.view.u32(numbers.offset + at));
    const nul = elf.view.bytes.indexOf(0, nameAt);
    if (nul < 0) return;
    nameAt = nul + 1;
  }
}

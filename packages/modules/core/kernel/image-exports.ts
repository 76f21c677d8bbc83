/**
 * Exports of a vmlinux, read from the tables that its own module loader searches.
 *
 *   __ksymtab, __ksymtab_gpl    an entry a symbol: value, name, namespace
 *   __kcrctab, __kcrctab_gpl    a CRC a symbol, in the same order
 *   __kflagstab                 where there is no __ksymtab_gpl: a byte a symbol, bit 0 is GPL-only
 *
 * An entry holds distances from itself (32 bits) or, on architectures without such relocations,
 * addresses. Before Linux 5.4 it has no namespace. Source: include/linux/export-internal.h,
 * include/asm-generic/vmlinux.lds.h, kernel/module/internal.h.
 */
import { fail, ok, type Result } from '../../../base/result.ts';
import { FormatError, type FormatProblem } from '../elf/bytes.ts';
import { sectionTypes, type Section } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import type { SymbolExport } from '../record/module.ts';
import { ImageMemory } from './image-memory.ts';

/** More than any kernel exports: Debian's has 11,248. */
const exportsMax = 200_000;

/** Reads the exports; an empty list when the kernel has no table (CONFIG_MODULES=n). */
export function readImageExports(elf: Elf): Result<readonly SymbolExport[], FormatProblem> {
  try {
    const flags = elf.section('__kflagstab');
    const plain = readTable(elf, '__ksymtab', '__kcrctab', (index) =>
      flags === undefined ? false : flagged(elf, flags, index),
    );
    return ok([...plain, ...readTable(elf, '__ksymtab_gpl', '__kcrctab_gpl', () => true)]);
  } catch (error) {
    if (error instanceof FormatError) return fail({ message: error.message, offset: error.offset });
    throw error;
  }
}

const gplOnlyFlag = 1;

function flagged(elf: Elf, flags: Section, index: number): boolean {
  if (index >= flags.size)
    throw new FormatError('has fewer export flags than exports', flags.offset);
  return (elf.view.u8(flags.offset + index) & gplOnlyFlag) !== 0;
}

function readTable(
  elf: Elf,
  name: string,
  crcName: string,
  gplOnly: (index: number) => boolean,
): readonly SymbolExport[] {
  const table = elf.section(name);
  if (table === undefined || table.size === 0) return [];
  if (table.type !== sectionTypes.progbits) {
    throw new FormatError(`has no bytes in its table ${name}`, table.headerOffset);
  }
  const memory = new ImageMemory(elf, table);
  const layout = layoutOf(memory, table, elf.bits);
  const count = table.size / layout.entryBytes;
  if (count > exportsMax) throw new FormatError(`claims to export ${count} symbols`, table.offset);
  const crcs = crcReader(elf, crcName, count);
  return Array.from({ length: count }, (_, index) => ({
    ...entryAt(memory, layout, table.offset + index * layout.entryBytes),
    gplOnly: gplOnly(index),
    crc: crcs?.(index),
  }));
}

interface EntryLayout {
  readonly relative: boolean;
  readonly fieldBytes: 4 | 8;
  readonly hasNamespace: boolean;
  readonly entryBytes: number;
}

function possibleLayouts(bits: 32 | 64): readonly EntryLayout[] {
  const pointerBytes = bits === 64 ? 8 : 4;
  return [true, false].flatMap((hasNamespace) => {
    const fields = hasNamespace ? 3 : 2;
    return [
      { relative: true, fieldBytes: 4, hasNamespace, entryBytes: fields * 4 } as const,
      {
        relative: false,
        fieldBytes: pointerBytes,
        hasNamespace,
        entryBytes: fields * pointerBytes,
      } as const,
    ];
  });
}

const entriesTried = 16;

/** Returns the layout in which the table divides evenly and its first entries have symbol names. */
function layoutOf(memory: ImageMemory, table: Section, bits: 32 | 64): EntryLayout {
  const found = possibleLayouts(bits).find((layout) => {
    if (table.size % layout.entryBytes !== 0) return false;
    const count = Math.min(table.size / layout.entryBytes, entriesTried);
    return Array.from({ length: count }).every((_, index) =>
      hasName(memory, layout, table.offset + index * layout.entryBytes),
    );
  });
  if (found === undefined) {
    throw new FormatError(`has a table ${table.name} of an unknown layout`, table.offset);
  }
  return found;
}

/**
 * Returns a reader of CRCs, undefined without CRCs. A CRC is 4 bytes, and was 8 on 64 bits before
 * Linux 4.10.
 */
function crcReader(elf: Elf, name: string, count: number): ((i: number) => number) | undefined {
  const table = elf.section(name);
  if (table === undefined || table.size === 0) return undefined;
  const entryBytes = table.size / count;
  if (entryBytes !== 4 && entryBytes !== 8) {
    throw new FormatError(`has ${table.size} bytes of CRCs for ${count} exports`, table.offset);
  }
  const low = entryBytes === 8 && !elf.view.littleEndian ? 4 : 0;
  return (index) => elf.view.u32(table.offset + index * entryBytes + low);
}

const symbolName = /^[A-Za-z_.$][\w.$]*$/;

const fieldText = (memory: ImageMemory, { relative, fieldBytes }: EntryLayout, at: number) =>
  relative ? memory.textFrom(at) : memory.textOfPointer(at, fieldBytes);

/** Reads an entry. Throws `FormatError` when a name is outside the file. */
function entryAt(
  memory: ImageMemory,
  layout: EntryLayout,
  at: number,
): Pick<SymbolExport, 'name' | 'namespace'> {
  const name = fieldText(memory, layout, at + layout.fieldBytes);
  if (name === undefined) throw new FormatError('exports a symbol without a name', at);
  if (!layout.hasNamespace) return { name, namespace: undefined };
  const namespace = fieldText(memory, layout, at + 2 * layout.fieldBytes);
  return { name, namespace: namespace === '' ? undefined : namespace };
}

function hasName(memory: ImageMemory, layout: EntryLayout, at: number): boolean {
  const name = fieldText(memory, layout, at + layout.fieldBytes);
  return name !== undefined && symbolName.test(name);
}

/** Instructions that take the address of an import as a number. x86-64 only. */
import { sectionIndexes, type Section } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import {
  codeSection,
  lowerBound,
  type References,
  type SectionReferences,
} from '../elf/references.ts';
import type { SymbolTable } from '../elf/symbol-table.ts';
import type { ExportTarget } from './exports.ts';

export interface ObjectParts {
  readonly elf: Elf;
  readonly symbols: SymbolTable;
  readonly references: References;
}

interface StoredAddress {
  readonly imported: string;
  readonly into: 'own data' | 'memory' | 'result' | 'register' | 'stack';
}

/** R_X86_64_32S: the number itself. */
const absoluteType = 11;
/**
 * The opcode of `mov` of a 32-bit number into 64 bits: a prefix, this byte, the destination, the
 * number.
 */
const moveNumber = 0xc7;
const wide = 0x48;

/** Returns the import whose address a `mov` writes, if this reference is such a one. */
export function storedAddress(
  elf: Elf,
  symbols: SymbolTable,
  { offset: start }: Section,
  { offsets, symbols: named, types }: SectionReferences,
  at: number,
): StoredAddress | undefined {
  const symbol = named[at]!;
  if (types[at] !== absoluteType || symbol >= symbols.count) return undefined;
  if (symbols.section(symbol) !== sectionIndexes.undefined) return undefined;
  const { bytes } = elf.view;
  const number = start + offsets[at]!;
  for (const length of [1, 2, 3, 5, 6]) {
    const operand = number - length;
    if (bytes[operand - 1] !== moveNumber || (bytes[operand - 2]! & 0xf8) !== wide) continue;
    const form = bytes[operand]!;
    if (operandBytes(form) !== length) continue;
    return { imported: symbols.name(symbol), into: destinationOf(form, bytes[operand + 1]!) };
  }
  return undefined;
}

/** Returns an operand's length from its first byte: registers, a scaled index, a displacement. */
function operandBytes(form: number): number {
  const [mode, register] = [form >> 6, form & 7];
  const index = mode !== 3 && register === 4 ? 1 : 0;
  const displacement = mode === 1 ? 1 : mode === 2 || (mode === 0 && register === 5) ? 4 : 0;
  return 1 + index + displacement;
}

/** Returns where the operand writes. A place relative to the stack is for the function itself. */
function destinationOf(form: number, index: number): StoredAddress['into'] {
  const [mode, register] = [form >> 6, form & 7];
  if (mode !== 3 && register === 4 && (index & 7) === 4) return 'stack';
  if (mode === 3) return register === 0 ? 'result' : 'register';
  return mode === 0 && register === 5 ? 'own data' : 'memory';
}

/** Returns imports whose addresses a function returns, or writes into memory that it was given. */
export function addressUses(
  { elf, symbols, references }: ObjectParts,
  { section: index, value, size }: ExportTarget,
): readonly string[] {
  const section = codeSection(elf, index);
  if (section === undefined) return [];
  const inside = references.of(index);
  const found: string[] = [];
  for (let at = lowerBound(inside.offsets, value); inside.offsets[at]! < value + size; at++) {
    const stored = storedAddress(elf, symbols, section, inside, at);
    if (stored?.into === 'memory' || stored?.into === 'result') found.push(stored.imported);
  }
  return found;
}

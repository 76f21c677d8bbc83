/**
 * Data that looks compressed or encrypted, measured by how often each byte occurs in windows of a
 * section. Symbols, which `strip` removes, only give it a name.
 */
import { sectionFlags, sectionTypes, symbolTypes, type Section } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import type { SymbolTable } from '../elf/symbol-table.ts';
import type { DeepObservations } from './module.ts';

type DenseObject = DeepObservations['denseObjects'][number];

/**
 * The size of a window. A smaller one would mean little: in few bytes even noise does not have all
 * values.
 */
const windowBytes = 2 * 1024;
const stepBytes = 512;
/** The smallest sum of pieces: 16 KiB, except for what lies between two windows. */
const denseBytesMin = 15 * 1024;
const denseBitsMin = 7;
/** The most pieces that are named. */
const piecesMax = 1000;

export function denseDataOf(elf: Elf, symbols: SymbolTable): readonly DenseObject[] {
  const dense: DenseObject[] = [];
  // Sections may overlap in a hostile file: no more is read than a true one can hold.
  let budget = elf.view.length;
  let total = 0;
  for (const section of elf.sections.filter(isData)) {
    budget -= section.size;
    if (budget < 0) break;
    const data = elf.data(section);
    for (const [start, end] of denseParts(data)) {
      total += end - start;
      if (dense.length === piecesMax) continue;
      const bits = bitsOf(data.subarray(start, end));
      dense.push({ name: nameAt(symbols, section, start, end), bytes: end - start, bits });
    }
  }
  return total >= denseBytesMin ? dense : [];
}

const isData = ({ type, flags, size }: Section): boolean =>
  type === sectionTypes.progbits &&
  size >= windowBytes &&
  (flags & sectionFlags.alloc) !== 0 &&
  (flags & sectionFlags.execute) === 0;

/** Returns `[start, end]` of dense windows, joined where they touch. */
function denseParts(data: Uint8Array): readonly (readonly [start: number, end: number])[] {
  const parts: [number, number][] = [];
  const counts = new Uint32Array(256);
  for (const byte of data.subarray(0, windowBytes - stepBytes)) counts[byte]!++;
  for (let start = 0; start + windowBytes <= data.length; start += stepBytes) {
    const end = start + windowBytes;
    for (let at = end - stepBytes; at < end; at++) counts[data[at]!]!++;
    if (bitsIn(counts, windowBytes) > denseBitsMin) {
      const last = parts.at(-1);
      if (last !== undefined && start <= last[1]) last[1] = end;
      else parts.push([start, end]);
    }
    for (let at = start; at < start + stepBytes; at++) counts[data[at]!]!--;
  }
  return parts;
}

function bitsOf(bytes: Uint8Array): number {
  const counts = new Uint32Array(256);
  for (const byte of bytes) counts[byte]!++;
  return bitsIn(counts, bytes.length);
}

/** Returns the entropy in bits a byte, from how often each value occurs. */
function bitsIn(counts: Uint32Array, total: number): number {
  let sum = 0;
  for (const count of counts) if (count > 1) sum += count * Math.log2(count);
  return Math.log2(total) - sum / total;
}

/** Returns the names of the objects in a part; without names, its place. */
function nameAt(
  symbols: SymbolTable,
  { index, name }: Section,
  start: number,
  end: number,
): string {
  const names: string[] = [];
  for (let symbol = 1; symbol < symbols.count && names.length < 4; symbol++) {
    if (symbols.section(symbol) !== index || symbols.type(symbol) !== symbolTypes.object) continue;
    const [value, size] = [symbols.value(symbol), symbols.size(symbol)];
    if (value < end && value + size > start) names.push(symbols.name(symbol));
  }
  return names.length > 0 ? names.join(', ') : `${name} at byte ${start}`;
}

/**
 * Texts of `.modinfo` that hold a NUL.
 *
 * Each text is an object of its own, and a build keeps a symbol with its size. So bytes between a
 * NUL and the object's end were written as one text with the bytes before, even if they look like a
 * tag.
 *
 *     license=GPL\0legal=Proprietary\0     __UNIQUE_ID_license12, 30 bytes
 */
import { bytesAsText } from '../elf/bytes.ts';
import { symbolTypes } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import type { CutText } from './module.ts';
import type { SymbolTable } from '../elf/symbol-table.ts';

/** The most bytes shown; the longest texts that builds write, aliases, are shorter. */
const shownBytesMax = 1024;
/** The most texts that are read: as many as entries of `.modinfo`. */
const textsMax = 2 ** 16;
/** The most cut texts that are kept; one is enough to decide. */
const cutTextsMax = 100;

/** Finds the cut texts. Throws `FormatError`. */
export function cutTextsOf(elf: Elf, symbols: SymbolTable): CutText[] {
  const section = elf.section('.modinfo');
  if (section === undefined) return [];
  const cut: CutText[] = [];
  const bytes = elf.data(section);
  let budget = textsMax;
  for (let index = 1; index < symbols.count && budget > 0 && cut.length < cutTextsMax; index++) {
    if (symbols.section(index) !== section.index) continue;
    if (symbols.type(index) !== symbolTypes.object) continue;
    budget--;
    const text = wholeText(bytes, symbols.value(index), symbols.size(index));
    const found = text && cutText(text);
    if (found !== undefined) cut.push(found);
  }
  return cut;
}

/**
 * Returns the text's bytes; undefined if the symbol does not cover whole texts: it is out of date
 * when somebody changed the section.
 */
function wholeText(bytes: Uint8Array, value: number, size: number): Uint8Array | undefined {
  const isWhole = (value === 0 || bytes[value - 1] === 0) && bytes[value + size - 1] === 0;
  return isWhole ? bytes.subarray(value, value + Math.min(size, shownBytesMax)) : undefined;
}

function cutText(text: Uint8Array): CutText | undefined {
  const [read = '', ...rest] = bytesAsText(text).split('\0');
  const parts = rest.filter((each) => each !== '');
  return parts.length === 0 ? undefined : { read, rest: parts };
}

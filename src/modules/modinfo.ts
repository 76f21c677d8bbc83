/**
 * The section `.modinfo`: what a module says of itself.
 *
 *     license=GPL\0author=Jane Doe\0\0\0name=sample\0
 *
 * Strings are separated by one or more NULs; the kernel takes the first one of a tag and no other.
 * Source: `get_next_modinfo()` in kernel/module/main.c.
 */
import { FormatError, textOf } from './bytes.ts';
import { sectionTypes, type Elf } from './elf.ts';
import type { ModinfoEntry } from './module.ts';

/** The longest in Debian's kernel, with an alias for each of many devices, has a few thousand. */
const entriesMax = 2 ** 16;
const bytesMax = 16 * 2 ** 20;

/** Throws `FormatError`. */
export function readModinfo(elf: Elf): ModinfoEntry[] {
  const section = elf.section('.modinfo');
  if (section === undefined || section.type === sectionTypes.nobits) return [];
  if (section.size > bytesMax) {
    throw new FormatError(`has more than ${bytesMax} bytes in ".modinfo"`, section.offset);
  }
  const entries = parseModinfo(elf.data(section));
  if (entries === undefined) {
    throw new FormatError(`has more than ${entriesMax} strings in ".modinfo"`, section.offset);
  }
  return entries;
}

/** Undefined when there are more entries than any module has. */
export function parseModinfo(bytes: Uint8Array): ModinfoEntry[] | undefined {
  if (isAscii(bytes)) return parseText(textOf(bytes));
  const entries: ModinfoEntry[] = [];
  for (let at = 0; at < bytes.length;) {
    const nul = bytes.indexOf(0, at);
    const end = nul < 0 ? bytes.length : nul;
    // Each on its own: one that is not UTF-8 must not change how the others read.
    if (end > at) entries.push(parseEntry(textOf(bytes.subarray(at, end))));
    if (entries.length > entriesMax) return undefined;
    at = end + 1;
  }
  return entries;
}

function isAscii(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at]! > 0x7f) return false;
  return true;
}

function parseText(text: string): ModinfoEntry[] | undefined {
  const entries: ModinfoEntry[] = [];
  for (let at = 0; at < text.length;) {
    const nul = text.indexOf('\0', at);
    const end = nul < 0 ? text.length : nul;
    if (end > at) entries.push(parseEntry(text.slice(at, end)));
    if (entries.length > entriesMax) return undefined;
    at = end + 1;
  }
  return entries;
}

function parseEntry(text: string): ModinfoEntry {
  const equals = text.indexOf('=');
  return equals < 0
    ? { tag: '', value: text }
    : { tag: text.slice(0, equals), value: text.slice(equals + 1) };
}

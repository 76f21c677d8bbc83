/**
 * The section `.modinfo`: a module's claims about itself.
 *
 *     license=GPL\0author=Jane Doe\0\0\0name=sample\0
 *
 * Strings are separated by one or more NULs; the kernel takes only the first one of a tag. It
 * ignores the type of the section, and checks its bounds only where a string begins. A string
 * without a NUL goes on behind the section, up to the end of the file. Source: `get_next_modinfo()`
 * in kernel/module/main.c.
 */
import { FormatError, bytesAsText } from '../elf/bytes.ts';
import { sectionFlags, type Section } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import type { ModinfoEntry } from './module.ts';

/**
 * The most entries that are read. The longest section in Debian's kernel, with an alias for each of
 * many devices, has a few thousand.
 */
const entriesMax = 2 ** 16;
const bytesMax = 16 * 2 ** 20;

interface Modinfo {
  readonly entries: readonly ModinfoEntry[];
  /**
   * Whether the section is marked to be loaded (ALLOC): before 6.4 the kernel ignores it otherwise.
   */
  readonly loaded: boolean;
  /** The part inside the section of a last string that goes on behind it. */
  readonly cutOff: string | undefined;
}

/** Reads the entries. `file` is all of it, with anything appended. Throws `FormatError`. */
export function readModinfo(elf: Elf, file: Uint8Array): Modinfo {
  const section = elf.section('.modinfo');
  if (section === undefined) return { entries: [], loaded: true, cutOff: undefined };
  const end = section.offset + section.size;
  const stringsEnd = endOfStrings(file, section);
  if (stringsEnd - section.offset > bytesMax) {
    throw new FormatError(`has more than ${bytesMax} bytes in ".modinfo"`, section.offset);
  }
  const entries = parseModinfo(file.subarray(section.offset, stringsEnd));
  if (entries === undefined) {
    throw new FormatError(`has more than ${entriesMax} strings in ".modinfo"`, section.offset);
  }
  const loaded = (section.flags & sectionFlags.alloc) !== 0;
  if (stringsEnd <= end) return { entries, loaded, cutOff: undefined };
  const last = file.lastIndexOf(0, end - 1) + 1;
  return {
    entries,
    loaded,
    cutOff: bytesAsText(file.subarray(Math.max(last, section.offset), end)),
  };
}

/** Returns where the strings end: the last one goes to its NUL, wherever that is. */
function endOfStrings(file: Uint8Array, { offset, size }: Section): number {
  const end = offset + size;
  if (size > 0 && file[end - 1] === 0) return end;
  const nul = file.indexOf(0, end);
  return nul < 0 ? file.length : nul;
}

/** Parses the entries; undefined when there are more than any module has. */
export function parseModinfo(bytes: Uint8Array): ModinfoEntry[] | undefined {
  if (isAscii(bytes)) return parseText(bytesAsText(bytes));
  const entries: ModinfoEntry[] = [];
  for (let at = 0; at < bytes.length;) {
    const nul = bytes.indexOf(0, at);
    const end = nul < 0 ? bytes.length : nul;
    // Each is decoded separately: one that is not UTF-8 must not change how the others read.
    if (end > at) entries.push(parseEntry(bytesAsText(bytes.subarray(at, end))));
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

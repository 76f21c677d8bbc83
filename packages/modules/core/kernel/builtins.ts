/**
 * Names of built-in code in /sys/module: a module of such a name is not loaded.
 *
 *   __param    struct kernel_param: name ("printk.time"), module, operations, mode in sysfs, …
 *   __modver   struct module_version_attribute: an attribute with five functions, module_name, version
 *
 * A parameter that sysfs does not show makes no directory, and one without a dot is in "kernel".
 * Drivers make directories too when they start, so that the list may be too short. Source:
 * kernel/params.c, include/linux/moduleparam.h, include/linux/module.h.
 */
import { FormatError } from '../elf/bytes.ts';
import { sectionTypes, type Section } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import { ImageMemory } from './image-memory.ts';

/** The most entries that are read: ten times what a kernel has. */
const entriesMax = 50_000;

/**
 * Reads the names. Undefined if the image does not have them: its pointers are filled in at boot.
 */
export function readBuiltinNames(elf: Elf): readonly string[] | undefined {
  const parameters = elf.section('__param');
  if (parameters === undefined) return undefined;
  try {
    const names = [...parameterNames(elf, parameters), ...versionNames(elf)];
    const known = names.filter((each) => each !== undefined);
    return known.length < names.length ? undefined : [...new Set(known)];
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

function parameterNames(elf: Elf, table: Section): readonly (string | undefined)[] {
  const pointer = pointerBytes(elf);
  const [modeAt, entryBytes] = [3 * pointer, 5 * pointer];
  const memory = new ImageMemory(elf, table);
  return entriesOf(table, entryBytes)
    .filter((at) => elf.view.u16(at + modeAt) !== 0)
    .map((at) => directoryOf(memory.textOfPointer(at, pointer)));
}

function directoryOf(parameter: string | undefined): string | undefined {
  if (parameter === undefined || parameter === '') return undefined;
  const dot = parameter.indexOf('.');
  return dot < 0 ? 'kernel' : parameter.slice(0, dot);
}

function versionNames(elf: Elf): readonly (string | undefined)[] {
  const table = elf.section('__modver');
  if (table === undefined) return [];
  const pointer = pointerBytes(elf);
  const [nameAt, entryBytes] = [7 * pointer, 9 * pointer];
  const memory = new ImageMemory(elf, table);
  return entriesOf(table, entryBytes).map((at) => memory.textOfPointer(at + nameAt, pointer));
}

const pointerBytes = ({ bits }: Elf): 4 | 8 => (bits === 64 ? 8 : 4);

/** Returns the file offset of each entry. Throws `FormatError`. */
function entriesOf(table: Section, entryBytes: number): readonly number[] {
  const count = table.size / entryBytes;
  if (table.type !== sectionTypes.progbits || !Number.isInteger(count) || count > entriesMax) {
    throw new FormatError(`has a table ${table.name} of an unknown layout`, table.offset);
  }
  return Array.from({ length: count }, (_, index) => table.offset + index * entryBytes);
}

/**
 * A defect in sysfs: each loaded section has a file in `/sys/module/NAME/sections`, so two of one
 * name collide. Source: kernel/module/sysfs.c, `add_sect_attrs`.
 */
import { sectionFlags, type Section } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import type { LoaderDefect } from '../record/module.ts';

/**
 * Sections that the loader marks as not loaded, the first of each name: it has read them by then.
 */
const takenAway = new Set([
  '.modinfo',
  '__versions',
  '__version_ext_crcs',
  '__version_ext_names',
  '.data..percpu',
]);

export function sysfsDefect(elf: Elf, structName: string): LoaderDefect | undefined {
  const names = new Set<string>();
  const left = new Set<string>();
  const table = elf.symbolTable;
  for (const section of elf.sections) {
    const { name, size } = section;
    if (size === 0 || !isLoaded(section, table)) continue;
    if (takenAway.has(name) && !left.has(name)) left.add(name);
    else if (names.has(name)) return defect(name, structName);
    else names.add(name);
  }
  return undefined;
}

/**
 * Whether a section is loaded; the tables of symbols and of their names are, whatever their flags.
 */
const isLoaded = ({ flags, index }: Section, table: Section | undefined): boolean =>
  (flags & sectionFlags.alloc) !== 0 || index === table?.index || index === table?.link;

const defect = (name: string, structName: string): LoaderDefect => ({
  step: 'sections in sysfs',
  errno: 'EEXIST',
  why: `It has two loaded sections named "${name}", which cannot both be in /sys/module/${structName}/sections`,
  message: `sysfs: cannot create duplicate filename '/module/${structName}/sections/${name}'`,
});

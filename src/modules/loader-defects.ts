/**
 * What stops the loader whatever the kernel: the checks of `load_module()` that look at the file alone, in its
 * order. The kernel stops at the first; all are listed, since some depend on how it was built
 * (`write and execute` on STRICT_MODULE_RWX, `constructors` on CONSTRUCTORS).
 * Source: kernel/module/main.c, kernel/module/strict_rwx.c.
 */
import { elfTypes, machines, sectionFlags, sectionTypes, type Elf, type Section } from './elf.ts';
import { missingName, type LoaderDefect } from './module.ts';
import { relocationDefect } from './relocation-defects.ts';
import { structModuleSection } from './struct-module.ts';

export interface DefectInput {
  /** As `.modinfo` has it. */
  readonly infoName: string | undefined;
  readonly structName: string | undefined;
}

/** Throws `FormatError`. */
export function loaderDefects(elf: Elf, { infoName, structName }: DefectInput): LoaderDefect[] {
  const early = infoName ?? missingName;
  const late = structName ?? '';
  return [
    headerDefect(elf),
    firstSectionDefect(elf),
    sectionNamesDefect(elf),
    modinfoDefect(elf),
    structModuleDefect(elf, early),
    symbolTableDefect(elf, early),
    writeAndExecuteDefect(elf, late),
    constructorsDefect(elf, late),
    elf.machine === machines.x8664 && elf.bits === 64 ? relocationDefect(elf, late) : undefined,
  ].filter((each) => each !== undefined);
}

const refuse = (
  step: LoaderDefect['step'],
  why: string,
  message: string | undefined,
): LoaderDefect => ({ step, errno: 'ENOEXEC', message, why });

function headerDefect({ type }: Elf): LoaderDefect | undefined {
  if (type === elfTypes.relocatable) return undefined;
  const wanted = elfTypes.relocatable;
  return refuse(
    'elf header',
    `Its ELF type is ${type}, and a module is a relocatable file (${wanted})`,
    `Invalid ELF header type: ${type} != ${wanted}`,
  );
}

function firstSectionDefect({ sections }: Elf): LoaderDefect | undefined {
  const first = sections[0];
  const { null: unused } = sectionTypes;
  if (first?.type === unused && first.size === 0 && first.address === 0) return undefined;
  return refuse(
    'sections',
    'Its section 0 is not empty',
    `ELF Spec violation: section 0 type(${first?.type ?? unused})!=SH_NULL or non-zero len or addr`,
  );
}

function sectionNamesDefect(elf: Elf): LoaderDefect | undefined {
  const { sectionNames: names } = elf;
  if (elf.view.u8(names.offset + names.size - 1) === 0) return undefined;
  return refuse(
    'sections',
    'Its table of section names does not end with a NUL',
    "ELF Spec violation: section name table isn't null terminated",
  );
}

const isUsed = ({ type, index }: Section): boolean => index > 0 && type !== sectionTypes.null;

const named = (elf: Elf, name: string): Section[] =>
  elf.sections.filter((each) => each.name === name && isUsed(each));

function modinfoDefect(elf: Elf): LoaderDefect | undefined {
  const { length } = named(elf, '.modinfo');
  if (length < 2) return undefined;
  return refuse(
    'modinfo',
    `It has ${length} ".modinfo" sections`,
    'Only one .modinfo section must exist.',
  );
}

function structModuleDefect(elf: Elf, name: string): LoaderDefect | undefined {
  const [section, second] = named(elf, structModuleSection);
  const defect = (why: string, problem: string) =>
    refuse('struct module', why, `module ${name}: ${problem}`);
  if (section === undefined || second !== undefined) {
    return defect(
      section === undefined ? 'It has no struct module' : 'It has more than one struct module',
      `Exactly one ${structModuleSection} section must exist.`,
    );
  }
  if (section.type === sectionTypes.nobits) {
    return defect(
      'Its struct module has no contents',
      `${structModuleSection} section must have a size set`,
    );
  }
  if ((section.flags & sectionFlags.alloc) !== 0) return undefined;
  return defect(
    'Its struct module is not marked to be loaded (ALLOC)',
    `${structModuleSection} must occupy memory during process execution`,
  );
}

function symbolTableDefect(elf: Elf, name: string): LoaderDefect | undefined {
  const tables = elf.sections.filter((each) => each.index > 0 && each.type === sectionTypes.symtab);
  const [table] = tables;
  if (table === undefined || tables.length > 1) {
    return refuse(
      'symbol table',
      `It has ${tables.length} symbol tables, and one is needed`,
      `${name}: module has no symbols (stripped?)`,
    );
  }
  const strings = elf.sections[table.link];
  if (strings === undefined || table.link === 0) {
    const [link, count] = [table.link, elf.sections.length];
    return refuse(
      'symbol table',
      'Its symbol table has no table of names',
      `Invalid ELF sh_link!=SHN_UNDEF(${link}) or (sh_link(${link}) >= hdr->e_shnum(${count})`,
    );
  }
  if (strings.type === sectionTypes.strtab) return undefined;
  return refuse(
    'symbol table',
    'The table of names of its symbols is of another type',
    `Invalid ELF symbol string table type: ${strings.type}`,
  );
}

function writeAndExecuteDefect(elf: Elf, name: string): LoaderDefect | undefined {
  const both = sectionFlags.write | sectionFlags.execute;
  const section = elf.sections.find((each) => (each.flags & both) === both);
  if (section === undefined) return undefined;
  return refuse(
    'write and execute',
    `Its section "${section.name}" can be written and executed`,
    `${name}: section ${section.name} (index ${section.index}) has invalid WRITE|EXEC flags`,
  );
}

function constructorsDefect(elf: Elf, name: string): LoaderDefect | undefined {
  const old = elf.loadedSection('.ctors');
  if (old === undefined || elf.loadedSection('.init_array') === undefined) return undefined;
  return {
    step: 'constructors',
    errno: 'EINVAL',
    message: `${name}: has both .ctors and .init_array.`,
    why: 'It has constructors in both ".ctors" and ".init_array"',
  };
}

/**
 * Defects that stop the loader: the checks of `load_module()` that depend only on the file, in its
 * order. The kernel stops at the first. All are listed, since some depend on how the kernel was
 * built (`write and execute` on STRICT_MODULE_RWX, `constructors` on CONSTRUCTORS) or on its
 * release. Source: kernel/module/main.c, kernel/module/strict_rwx.c, `module_frob_arch_sections()`
 * of each architecture.
 */
import { elfTypes, machines, sectionFlags, sectionTypes, type Section } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import { missingName, type LoaderDefect } from '../record/module.ts';
import { relocationDefects } from './relocation-defects.ts';
import type { Releases } from '../kernel/releases.ts';
import { structModuleSection } from '../record/struct-module.ts';
import { sysfsDefect } from './sysfs-defect.ts';

interface DefectInput {
  /** The name that `.modinfo` has. */
  readonly infoName: string | undefined;
  readonly structName: string | undefined;
}

/** Lists the defects. Throws `FormatError`. */
export function loaderDefects(elf: Elf, { infoName, structName }: DefectInput): LoaderDefect[] {
  const early = infoName ?? missingName;
  const late = structName ?? '';
  return [
    headerDefect(elf),
    classDefect(elf),
    abiDefect(elf),
    firstSectionDefect(elf),
    sectionNamesDefect(elf),
    modinfoDefect(elf),
    structModuleDefect(elf, early),
    ...symbolTableDefects(elf, early),
    extendedVersionsDefect(elf),
    symbolNamesDefect(elf),
    processorDefect(elf, late),
    writeAndExecuteDefect(elf, late),
    memoryDefect(elf),
    constructorsDefect(elf, late),
    ...(elf.machine === machines.x8664 && elf.bits === 64 ? relocationDefects(elf, late) : []),
    sysfsDefect(elf, late),
  ].filter((each) => each !== undefined);
}

const refuse = (
  step: LoaderDefect['step'],
  why: string,
  message: string | undefined,
  releases: Releases = {},
): LoaderDefect => ({ step, errno: 'ENOEXEC', message, why, ...releases });

/**
 * The release since which `load_module()` has a check of its own for each section that it needs.
 */
const splitChecks = { from: [6, 4] } as const;

function headerDefect({ type }: Elf): LoaderDefect | undefined {
  if (type === elfTypes.relocatable) return undefined;
  const wanted = elfTypes.relocatable;
  return refuse(
    'elf header',
    `Its ELF type is ${type}; a module is a relocatable file (${wanted})`,
    `Invalid ELF header type: ${type} != ${wanted}`,
  );
}

/** Checks the stated width for s390; other kernels do not check it. */
function classDefect({ machine, view }: Elf): LoaderDefect | undefined {
  const wide = 2;
  if (machine !== machines.s390 || view.u8(4) === wide) return undefined;
  const message = `Invalid architecture in ELF header: ${machine}`;
  return refuse('elf header', 'Its ELF header is not marked as 64 bits', message);
}

/** Checks the calling convention: a little-endian PowerPC kernel accepts only its own. */
function abiDefect({ machine, view }: Elf): LoaderDefect | undefined {
  const [flagsAt, abiBits, second] = [48, 3, 2];
  if (machine !== machines.ppc64 || !view.littleEndian) return undefined;
  if ((view.u32(flagsAt) & abiBits) === second) return undefined;
  const message = `Invalid module architecture in ELF header: ${machine}`;
  const why = 'It was built for a calling convention (ELF ABI) other than version 2';
  return refuse('elf header', why, message, splitChecks);
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
    'Its section name table does not end with a NUL',
    "ELF Spec violation: section name table isn't null terminated",
  );
}

/** Returns the sections of that name: the kernel counts names, whatever the type. */
const named = (elf: Elf, name: string): Section[] =>
  elf.sections.filter((each) => each.name === name && each.index > 0);

function modinfoDefect(elf: Elf): LoaderDefect | undefined {
  const { length } = named(elf, '.modinfo');
  if (length < 2) return undefined;
  return refuse(
    'modinfo',
    `It has ${length} ".modinfo" sections`,
    'Only one .modinfo section must exist.',
    splitChecks,
  );
}

function structModuleDefect(elf: Elf, name: string): LoaderDefect | undefined {
  const [section, second] = named(elf, structModuleSection);
  const defect = (why: string, problem: string) =>
    refuse('struct module', why, `module ${name}: ${problem}`, splitChecks);
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

/**
 * Checks the symbol table. Before 6.4 the first one counts, and the type of the name table does
 * not.
 */
function symbolTableDefects(elf: Elf, name: string): LoaderDefect[] {
  const tables = elf.sections.filter((each) => each.index > 0 && each.type === sectionTypes.symtab);
  const [table] = tables;
  const noSymbols = (releases: Releases) =>
    refuse(
      'symbol table',
      `It has ${tables.length} symbol tables, and one is needed`,
      `${name}: module has no symbols (stripped?)`,
      releases,
    );
  if (table === undefined) return [noSymbols({})];
  const several = tables.length > 1 ? [noSymbols(splitChecks)] : [];
  const strings = elf.sections[table.link];
  if (strings === undefined || table.link === 0) {
    const [link, count] = [table.link, elf.sections.length];
    const why = 'Its symbol table has no string table';
    const message = `Invalid ELF sh_link!=SHN_UNDEF(${link}) or (sh_link(${link}) >= hdr->e_shnum(${count})`;
    return [...several, refuse('symbol table', why, message)];
  }
  if (strings.type === sectionTypes.strtab) return several;
  const why = 'The string table of its symbols has another type';
  const message = `Invalid ELF symbol string table type: ${strings.type}`;
  return [...several, refuse('symbol table', why, message, splitChecks)];
}

/**
 * Checks extended versions: `elf_validity_cache_index_versions`. Its log lines lack a newline, so
 * each appears only with the next one.
 */
function extendedVersionsDefect(elf: Elf): LoaderDefect | undefined {
  const crcs = elf.loadedSection('__version_ext_crcs');
  const names = elf.loadedSection('__version_ext_names');
  const defect = (why: string) => refuse('extended versions', why, undefined, { from: [6, 14] });
  if ((crcs === undefined) !== (names === undefined)) {
    return defect('Its extended symbol versions lack either the names or the CRCs');
  }
  if (crcs === undefined || names === undefined) return undefined;
  const ends = elf.data(names).reduce((count, byte) => (byte === 0 ? count + 1 : count), 0);
  if (ends >= Math.floor(crcs.size / 4)) return undefined;
  return defect('Its extended symbol versions have more CRCs than names');
}

/** Checks the string table: `elf_validity_cache_strtab`. */
function symbolNamesDefect(elf: Elf): LoaderDefect | undefined {
  const strings = elf.sections[elf.symbolTable?.link ?? 0];
  if (strings?.type !== sectionTypes.strtab) return undefined;
  const bytes = elf.data(strings);
  const defect = (why: string, message: string) =>
    refuse('symbol table', `The string table of its symbols ${why}`, message, { from: [6, 13] });
  if (bytes.length === 0) return defect('is empty', 'empty symbol string table');
  if (bytes[0] !== 0) {
    return defect('does not begin with a NUL', 'symbol string table missing leading NUL');
  }
  if (bytes.at(-1) === 0) return undefined;
  return defect('does not end with a NUL', "symbol string table isn't NUL terminated");
}

/**
 * Sections that the loader of an architecture fills, and its message about the first missing one.
 * Others fill some as well if configured so (RISC-V, 32-bit ARM).
 */
const filledSections: ReadonlyMap<number, ReadonlyMap<string, string>> = new Map([
  [
    machines.arm64,
    new Map([
      ['.plt', 'module PLT section(s) missing'],
      ['.init.plt', 'module PLT section(s) missing'],
    ]),
  ],
  [machines.ppc64, new Map([['.stubs', "doesn't contain .stubs."]])],
]);

/** Checks the sections of the architecture: `module_frob_arch_sections`. */
function processorDefect(elf: Elf, name: string): LoaderDefect | undefined {
  const wanted = filledSections.get(elf.machine) ?? new Map<string, string>();
  for (const [section, message] of wanted) {
    if (elf.section(section) !== undefined) continue;
    const why = `It has no section "${section}", which the loader of this processor fills`;
    return refuse('processor', why, `${name}: ${message}`);
  }
  return undefined;
}

/** The space between the image and the end of the address space; no x86-64 kernel has more. */
const moduleSpaceBytes = 1536 * 2 ** 20;

/** Checks the size: `move_module`. Below that it depends on the host's memory. */
function memoryDefect(elf: Elf): LoaderDefect | undefined {
  if (elf.machine !== machines.x8664) return undefined;
  const bytes = elf.sections
    .filter((each) => (each.flags & sectionFlags.alloc) !== 0)
    .reduce((sum, each) => sum + each.size, 0);
  if (bytes <= moduleSpaceBytes) return undefined;
  const why = `It needs ${bytes} bytes of memory, and kernels of this processor have at most ${moduleSpaceBytes} for modules`;
  return { ...refuse('memory', why, undefined), errno: 'ENOMEM' };
}

function writeAndExecuteDefect(elf: Elf, name: string): LoaderDefect | undefined {
  const both = sectionFlags.write | sectionFlags.execute;
  const section = elf.sections.find((each) => (each.flags & both) === both);
  if (section === undefined) return undefined;
  return refuse(
    'write and execute',
    `Its section "${section.name}" is writable and executable`,
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

/**
 * The reading of a file's bytes into a `KernelModule`.
 *
 * Nothing in the file is trusted: unreadable parts give a `ModuleProblem` with the offset, and
 * `defects` lists everything that the kernel's loader would refuse.
 */
import { fail, ok, type Result } from '../../../base/result.ts';
import { FormatError } from '../elf/bytes.ts';
import { observeDeeply } from './deep-observations.ts';
import { bindings, machines, sectionIndexes, sectionTypes } from '../elf/elf-format.ts';
import { kernelEncoding, readElf } from '../elf/read-elf.ts';
import type { Elf } from '../elf/elf.ts';
import { kernelElfMessage } from '../elf/elf-validity.ts';
import { readExports } from './exports.ts';
import { loaderDefects } from '../loader/loader-defects.ts';
import { readModinfo } from './modinfo.ts';
import { readOtherwise } from './read-otherwise.ts';
import { missingName, type KernelModule, type SymbolToResolve } from './module.ts';
import { readBuildId } from '../elf/notes.ts';
import { observe } from './observations.ts';
import { readSignature, type SignedFile } from './signature.ts';
import { readStructModule, structModuleSection } from './struct-module.ts';
import { SymbolTable } from '../elf/symbol-table.ts';
import { readVersions, type SymbolVersions, type VersionTable } from './versions.ts';

export interface ModuleProblem {
  readonly file: string;
  /** The offset in the file, bytes. */
  readonly offset: number;
  /** A text to be read after the file's name: `has no sections`. */
  readonly message: string;
  readonly kind: 'not elf' | 'not a module' | 'malformed';
  /** The line that the kernel's loader would log about it, where it is known. */
  readonly kernelMessage?: string;
  /** The line of kernels before 6.4, if it differs. */
  readonly oldKernelMessage?: string;
  /** The errno if it is not ENOEXEC: reading an empty file is a failure of its own. */
  readonly kernelErrno?: 'EINVAL';
}

export interface ReadOptions {
  /** Whether to analyze code and data too, which takes several times as long. */
  readonly deep?: boolean;
}

/** Reads an uncompressed module. `file` is only a name. */
export function readModule(
  file: string,
  contents: Uint8Array,
  options: ReadOptions = {},
): Result<KernelModule, ModuleProblem> {
  // A Buffer would be slower, and its slices share memory instead of copying.
  const bytes = new Uint8Array(contents.buffer, contents.byteOffset, contents.length);
  const signed = readSignature(bytes);
  const problem = (kind: ModuleProblem['kind'], message: string, offset: number) =>
    fail({ file, offset, message, kind, ...inKernel(bytes.subarray(0, signed.elfBytes)) });
  if (!isElf(bytes)) return problem('not elf', 'is not an ELF file', 0);
  const elf = readElf(bytes.subarray(0, signed.elfBytes), kernelEncoding(bytes));
  if (!elf.ok) return problem('malformed', elf.error.message, elf.error.offset);
  const { value } = elf;
  if (value.section('.modinfo') === undefined && value.section(structModuleSection) === undefined) {
    const message = `is not a kernel module: it has neither ".modinfo" nor "${structModuleSection}"`;
    const kernelMessage = `module ${missingName}: Exactly one ${structModuleSection} section must exist.`;
    const oldKernelMessage = `${missingName}: No module found in object`;
    return fail({
      file,
      offset: 0,
      message,
      kind: 'not a module',
      kernelMessage,
      oldKernelMessage,
    });
  }
  try {
    return ok(assemble(file, bytes, value, signed, options.deep === true));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return problem('malformed', error.message, error.offset);
  }
}

/**
 * Returns how the kernel refuses a file that is not a module. Source: kernel_read_file() for the
 * empty one.
 */
function inKernel(bytes: Uint8Array): Pick<ModuleProblem, 'kernelMessage' | 'kernelErrno'> {
  if (bytes.length === 0) return { kernelErrno: 'EINVAL' };
  const kernelMessage = kernelElfMessage(bytes);
  return kernelMessage === undefined ? {} : { kernelMessage };
}

/** Whether the first four bytes are ELF's. */
export const isElf = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;

function assemble(
  file: string,
  bytes: Uint8Array,
  elf: Elf,
  signed: SignedFile,
  deep: boolean,
): KernelModule {
  const { entries: modinfo, loaded: modinfoLoaded, cutOff } = readModinfo(elf, bytes);
  const infoName = modinfo.find((each) => each.tag === 'name')?.value;
  const struct = readStructModule(elf);
  const defects = loaderDefects(elf, { infoName, structName: struct.name });
  const symbols = symbolsOf(elf);
  const versions = readVersions(elf);
  const { exports, targets, lackCrcs, tables } = readExports(elf, symbols);
  const observations = {
    ...observe(elf, symbols),
    readOtherwise: readOtherwise(elf, modinfo, cutOff),
  };
  return {
    file,
    bytes: signed.elfBytes,
    bits: elf.bits,
    bigEndian: !elf.view.littleEndian,
    type: elf.type,
    machine: elf.machine,
    modinfo,
    modinfoLoaded,
    structName: struct.name,
    structBytes: struct.bytes,
    structLoaded: elf.loadedSection(structModuleSection) !== undefined,
    structExtraBytes: struct.extraBytes,
    symbols: symbols === undefined ? [] : symbolsToResolve(elf, symbols, versions),
    hasVersions: versions.plain.present,
    layoutCrc: versions.plain.crcs.get('module_layout'),
    extendedVersions: versions.extended.present
      ? { layoutCrc: versions.extended.crcs.get('module_layout') }
      : undefined,
    exports,
    exportsLackCrcs: lackCrcs,
    exportTables: tables,
    percpuBytes: elf.loadedSection('.data..percpu')?.size ?? 0,
    defects,
    signature: signed.signature,
    buildId: readBuildId(elf),
    observations:
      deep && symbols !== undefined
        ? { ...observations, deep: observeDeeply(elf, symbols, exports, targets) }
        : observations,
  };
}

/** Returns the symbol table; undefined if it cannot be read, which is one of the defects. */
function symbolsOf(elf: Elf): SymbolTable | undefined {
  const table = elf.symbolTable;
  const strings = elf.sections[table?.link ?? 0];
  if (table === undefined || strings === undefined || strings.index === 0) return undefined;
  return strings.type === sectionTypes.nobits ? undefined : new SymbolTable(elf, table);
}

/** The most imports that are read; a kernel with all of its modules exports a quarter of this. */
const importsMax = 2 ** 17;

/**
 * Returns the symbols that the loader resolves. Source: `simplify_symbols()` in
 * kernel/module/main.c.
 */
function symbolsToResolve(
  elf: Elf,
  symbols: SymbolTable,
  versions: SymbolVersions,
): SymbolToResolve[] {
  const found: SymbolToResolve[] = [];
  const sectionCount = elf.sections.length;
  for (let index = 1; index < symbols.count; index++) {
    const section = symbols.section(index);
    if (section === sectionIndexes.undefined) {
      const weak = symbols.binding(index) === bindings.weak;
      const symbol = importOf(elf, symbols.name(index), weak, versions);
      if (symbol !== undefined) found.push(symbol);
    } else if (section === sectionIndexes.common) {
      const name = symbols.name(index);
      if (!name.startsWith('__gnu_lto')) found.push({ kind: 'common', name });
    } else if (section >= sectionCount && !isIgnored(section)) {
      const name = symbols.name(index);
      found.push({ kind: 'bad section', name, section, sectionMax: sectionCount - 1 });
    }
    if (found.length > importsMax) {
      throw new FormatError(`has more than ${importsMax} symbols to resolve`, 0);
    }
  }
  return found;
}

const tableOfContents = '.TOC.';

/**
 * Returns the import under the name that the kernel uses. On 64-bit PowerPC a compiler may put a
 * dot before function names, which the kernel removes from symbols and versions. The kernel itself
 * fills in the symbol of the table of contents. Source: `dedotify()` in
 * arch/powerpc/kernel/module_64.c.
 */
function importOf(
  { machine }: Elf,
  written: string,
  weak: boolean,
  { plain, extended }: SymbolVersions,
): SymbolToResolve | undefined {
  const isDotted = machine === machines.ppc64 && written.startsWith('.');
  if (isDotted && written === tableOfContents) return undefined;
  const name = isDotted ? written.slice(1) : written;
  const crcIn = ({ crcs }: VersionTable) =>
    crcs.get(name) ?? (machine === machines.ppc64 ? crcs.get(`.${name}`) : undefined);
  const symbol = { kind: 'import', name, weak, crc: crcIn(plain) } as const;
  return extended.present ? { ...symbol, extendedCrc: crcIn(extended) } : symbol;
}

const isIgnored = (section: number): boolean =>
  section === sectionIndexes.absolute || section === sectionIndexes.livepatch;

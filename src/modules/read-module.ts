/**
 * From the bytes of a file to a `KernelModule`.
 *
 * Nothing in the file is trusted: what cannot be read is a `ModuleProblem` with the offset, and what the
 * kernel's loader would refuse is listed in `defects`.
 */
import { fail, ok, type Result } from '../units/result.ts';
import { FormatError } from './bytes.ts';
import { observeDeeply } from './deep-observations.ts';
import { readElf, sectionIndexes, sectionTypes, bindings, type Elf } from './elf.ts';
import { elfComplaint } from './elf-validity.ts';
import { readExports } from './exports.ts';
import { loaderDefects } from './loader-defects.ts';
import { readModinfo } from './modinfo.ts';
import { missingName, type KernelModule, type SymbolToResolve } from './module.ts';
import { readBuildId } from './notes.ts';
import { observe } from './observations.ts';
import { readSignature, type SignedFile } from './signature.ts';
import { readStructModule, structModuleSection } from './struct-module.ts';
import { SymbolTable } from './symbol-table.ts';
import { readVersions, type SymbolVersions } from './versions.ts';

export interface ModuleProblem {
  readonly file: string;
  /** In the file, bytes. */
  readonly offset: number;
  /** To be read after the file's name: `has no sections`. */
  readonly message: string;
  readonly kind: 'not elf' | 'not a module' | 'malformed';
  /** The line that the kernel's loader would log about it, where it is known. */
  readonly kernelMessage?: string;
  /** Where it is not ENOEXEC: reading an empty file is a failure of its own. */
  readonly kernelErrno?: 'EINVAL';
}

export interface ReadOptions {
  /** Also looks at code and data, which takes several times as long. */
  readonly deep?: boolean;
}

/** `file` is only a name. An uncompressed module is expected. */
export function readModule(
  file: string,
  contents: Uint8Array,
  options: ReadOptions = {},
): Result<KernelModule, ModuleProblem> {
  // A Buffer would be slower, and slices of it are no copies.
  const bytes = new Uint8Array(contents.buffer, contents.byteOffset, contents.length);
  const signed = readSignature(bytes);
  const problem = (kind: ModuleProblem['kind'], message: string, offset: number) =>
    fail({ file, offset, message, kind, ...inKernel(bytes.subarray(0, signed.elfBytes)) });
  if (!isElf(bytes)) return problem('not elf', 'is no ELF file', 0);
  const elf = readElf(bytes.subarray(0, signed.elfBytes));
  if (!elf.ok) return problem('malformed', elf.error.message, elf.error.offset);
  const { value } = elf;
  if (value.section('.modinfo') === undefined && value.section(structModuleSection) === undefined) {
    const message = `is no kernel module: it has neither ".modinfo" nor "${structModuleSection}"`;
    const kernelMessage = `module ${missingName}: Exactly one ${structModuleSection} section must exist.`;
    return fail({ file, offset: 0, message, kind: 'not a module', kernelMessage });
  }
  try {
    return ok(assemble(file, value, signed, options.deep === true));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return problem('malformed', error.message, error.offset);
  }
}

/** What the kernel makes of a file that is no module. Source: kernel_read_file() for the empty one. */
function inKernel(bytes: Uint8Array): Pick<ModuleProblem, 'kernelMessage' | 'kernelErrno'> {
  if (bytes.length === 0) return { kernelErrno: 'EINVAL' };
  const kernelMessage = elfComplaint(bytes);
  return kernelMessage === undefined ? {} : { kernelMessage };
}

/** By its first four bytes alone. */
export const isElf = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;

function assemble(file: string, elf: Elf, signed: SignedFile, deep: boolean): KernelModule {
  const modinfo = readModinfo(elf);
  const infoName = modinfo.find((each) => each.tag === 'name')?.value;
  const struct = readStructModule(elf);
  const defects = loaderDefects(elf, { infoName, structName: struct.name });
  const symbols = symbolsOf(elf);
  const versions = readVersions(elf);
  const { exports, targets, lackCrcs } = readExports(elf, symbols);
  const observations = observe(elf, symbols);
  return {
    file,
    bytes: signed.elfBytes,
    bits: elf.bits,
    bigEndian: !elf.view.littleEndian,
    type: elf.type,
    machine: elf.machine,
    modinfo,
    structName: struct.name,
    structBytes: struct.bytes,
    structExtraBytes: struct.extraBytes,
    symbols: symbols === undefined ? [] : symbolsToResolve(elf, symbols, versions),
    hasVersions: versions.present,
    layoutCrc: versions.crcs.get('module_layout'),
    exports,
    exportsLackCrcs: lackCrcs,
    defects,
    signature: signed.signature,
    buildId: readBuildId(elf),
    observations:
      deep && symbols !== undefined
        ? { ...observations, deep: observeDeeply(elf, symbols, exports, targets) }
        : observations,
  };
}

/** Undefined when there is none that could be read, which is one of the defects. */
function symbolsOf(elf: Elf): SymbolTable | undefined {
  const table = elf.symbolTable;
  if (table === undefined || elf.sections[table.link]?.type !== sectionTypes.strtab) {
    return undefined;
  }
  return new SymbolTable(elf, table);
}

/** A kernel with all of its modules exports a quarter of this. */
const importsMax = 2 ** 17;

/** Source: `simplify_symbols()` in kernel/module/main.c. */
function symbolsToResolve(
  elf: Elf,
  symbols: SymbolTable,
  { crcs }: SymbolVersions,
): SymbolToResolve[] {
  const found: SymbolToResolve[] = [];
  const sectionCount = elf.sections.length;
  for (let index = 1; index < symbols.count; index++) {
    const section = symbols.section(index);
    if (section === sectionIndexes.undefined) {
      const name = symbols.name(index);
      const weak = symbols.binding(index) === bindings.weak;
      found.push({ kind: 'import', name, weak, crc: crcs.get(name) });
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

const isIgnored = (section: number): boolean =>
  section === sectionIndexes.absolute || section === sectionIndexes.livepatch;

/**
 * The kernel's log lines about a file that is not an object file it can use.
 *
 * `readElf` is for readers of every kind and has its own messages. These are the kernel's, in the
 * kernel's order, for a file that it cannot read either. That the file is for the kernel's
 * processor is assumed. Source: `elf_validity_ehdr()`, `elf_validity_cache_sechdrs()`,
 * `elf_validity_cache_secstrings()` in kernel/module/main.c.
 */
import { ByteView } from './bytes.ts';
import { elfTypes, sectionTypes } from './elf-format.ts';
import { kernelEncoding } from './read-elf.ts';

const headerBytes = 64;
const sectionBytes = 64;

interface RawSection {
  readonly name: number;
  readonly type: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

/** Returns the log line, for 64-bit files; undefined where the kernel finds nothing wrong. */
export function kernelElfMessage(bytes: Uint8Array): string | undefined {
  if (bytes.length < headerBytes) return `Invalid ELF header len ${bytes.length}`;
  const view = new ByteView(bytes, kernelEncoding(bytes)?.littleEndian ?? bytes[5] !== 2);
  if (view.u32(0) !== (view.littleEndian ? 0x464c457f : 0x7f454c46)) {
    return 'Invalid ELF header magic: != \x7fELF';
  }
  const type = view.u16(16);
  if (type !== elfTypes.relocatable) {
    return `Invalid ELF header type: ${type} != ${elfTypes.relocatable}`;
  }
  if (view.u16(58) !== sectionBytes) return 'Invalid ELF section header size';
  const table = view.u64(40);
  const count = view.u16(60);
  if (table >= bytes.length || count * sectionBytes > bytes.length - table) {
    return 'Invalid ELF section header overflow';
  }
  const sections = Array.from({ length: count }, (_, index) =>
    readRaw(view, table + index * sectionBytes),
  );
  return sectionMessage(sections, bytes.length) ?? namesMessage(sections, view);
}

function readRaw(view: ByteView, at: number): RawSection {
  return {
    name: view.u32(at),
    type: view.u32(at + 4),
    address: view.u64(at + 16),
    offset: view.u64(at + 24),
    size: view.u64(at + 32),
  };
}

function sectionMessage(sections: readonly RawSection[], length: number): string | undefined {
  const [first, ...others] = sections;
  if (first === undefined) return undefined;
  if (first.type !== sectionTypes.null || first.size !== 0 || first.address !== 0) {
    return `ELF Spec violation: section 0 type(${first.type})!=SH_NULL or non-zero len or addr`;
  }
  const bad = others.findIndex(
    ({ type, offset, size }) =>
      type !== sectionTypes.null && type !== sectionTypes.nobits && offset + size > length,
  );
  if (bad < 0) return undefined;
  return `Invalid ELF section in module (section ${bad + 1} type ${others[bad]!.type})`;
}

function namesMessage(sections: readonly RawSection[], view: ByteView): string | undefined {
  const index = view.u16(62);
  const names = sections[index];
  if (index === 0 || names === undefined) {
    return `Invalid ELF section name index: ${index} || e_shstrndx (${index}) >= e_shnum (${sections.length})`;
  }
  if (names.type !== sectionTypes.strtab) {
    return `Invalid ELF section name table type: ${names.type}`;
  }
  if (names.size === 0) return 'empty section name table';
  if (view.u8(names.offset + names.size - 1) !== 0) {
    return "ELF Spec violation: section name table isn't null terminated";
  }
  const bad = sections.findIndex(
    ({ type, name }) => type !== sectionTypes.null && name >= names.size,
  );
  if (bad < 0) return undefined;
  return `Invalid ELF section name in module (section ${bad} type ${sections[bad]!.type})`;
}

/**
 * The Executable and Linkable Format: its numbers, and the structures read from it. Source: System
 * V ABI, chapter 4; elf(5).
 */

export const elfTypes = { relocatable: 1 } as const;
export const machines = {
  i386: 3,
  ppc64: 21,
  s390: 22,
  arm: 40,
  x8664: 62,
  arm64: 183,
  riscv: 243,
} as const;
export const sectionTypes = {
  null: 0,
  progbits: 1,
  symtab: 2,
  strtab: 3,
  rela: 4,
  nobits: 8,
  rel: 9,
  note: 7,
} as const;
/** `livepatch` marks relocations that the kernel's livepatch core applies. */
export const sectionFlags = { write: 1, alloc: 2, execute: 4, livepatch: 0x0010_0000 } as const;
/** Special section indices of symbols. */
export const sectionIndexes = {
  undefined: 0,
  reserved: 0xff00,
  livepatch: 0xff20,
  absolute: 0xfff1,
  common: 0xfff2,
} as const;
export const bindings = { local: 0, global: 1, weak: 2 } as const;
export const symbolTypes = { none: 0, object: 1, function: 2, section: 3, file: 4 } as const;

export interface Section {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  /**
   * The offset in the file, bytes. Offset and size are both checked unless the section has no bytes
   * in the file (NOBITS).
   */
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly entryBytes: number;
  /** The offset of the section's own header, for messages. */
  readonly headerOffset: number;
}

export interface ElfSymbol {
  readonly index: number;
  readonly name: string;
  readonly value: number;
  readonly size: number;
  readonly binding: number;
  readonly type: number;
  readonly section: number;
}

export interface Relocation {
  /** The offset in the section that is changed, bytes. */
  readonly offset: number;
  readonly type: number;
  readonly symbol: number;
  /** The addend; 0 where the format keeps it in the place that is changed (SHT_REL). */
  readonly addend: number;
}

interface Layout {
  readonly headerBytes: number;
  readonly sectionBytes: number;
  readonly symbolBytes: number;
}

/** The width and byte order of numbers. */
export interface Encoding {
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
}

/** Sizes of the structures that repeat. */
export const layouts: Readonly<Record<32 | 64, Layout>> = {
  32: { headerBytes: 52, sectionBytes: 40, symbolBytes: 16 },
  64: { headerBytes: 64, sectionBytes: 64, symbolBytes: 24 },
};

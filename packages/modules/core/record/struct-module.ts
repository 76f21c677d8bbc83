/**
 * `.gnu.linkonce.this_module`: the module's own `struct module`, as modpost wrote it.
 *
 * It begins with an `enum`, padding and a `list_head`; then comes the name. Everything else is zero
 * in the file, or filled in by relocations. Source: include/linux/module.h.
 */
import { sectionTypes } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';

interface StructModule {
  readonly name: string | undefined;
  readonly bytes: number | undefined;
  /** Bytes that are neither name nor zero. */
  readonly extraBytes: number;
}

export const structModuleSection = '.gnu.linkonce.this_module';

/** Reads the section. Throws `FormatError`. */
export function readStructModule(elf: Elf): StructModule {
  const section = elf.section(structModuleSection);
  if (section === undefined) return { name: undefined, bytes: undefined, extraBytes: 0 };
  const { size: bytes } = section;
  const nameAt = elf.bits === 64 ? 24 : 12;
  const nameBytesMax = 64 - elf.bits / 8;
  if (section.type === sectionTypes.nobits || bytes < nameAt + nameBytesMax) {
    return { name: undefined, bytes, extraBytes: 0 };
  }
  const at = section.offset + nameAt;
  const data = elf.data(section);
  const field = data.subarray(nameAt, nameAt + nameBytesMax);
  const nul = field.indexOf(0);
  const nameBytes = nul < 0 ? nameBytesMax : nul;
  return {
    name: elf.names.read(at, at + nameBytesMax),
    bytes,
    extraBytes: countNonZero(data, 0, nameAt) + countNonZero(data, nameAt + nameBytes, bytes),
  };
}

function countNonZero(bytes: Uint8Array, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; at++) if (bytes[at] !== 0) count++;
  return count;
}

/** The bytes and texts at addresses inside a kernel image. */
import { sectionFlags, sectionTypes, type Section } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';

const nameBytesMax = 512;
/** The most regions; each name is searched in all of them, and a kernel has some fifty. */
const regionsMax = 512;

interface Region {
  readonly low: number;
  readonly offset: number;
  readonly size: number;
}

/**
 * A kernel's addresses, and the places of their bytes in the file.
 *
 * Only the lower 32 bits are kept: a kernel is smaller than 2 GiB, and 0xffffffff82a3f0c4 is not a
 * number that a double can hold. Sections whose upper half differs (per-CPU data, linked at 0) are
 * left out.
 */
export class ImageMemory {
  readonly #elf: Elf;
  readonly #regions: readonly Region[];

  constructor(elf: Elf, table: Section) {
    this.#elf = elf;
    const high = highWord(elf, table);
    this.#regions = elf.sections
      .filter(
        (each) =>
          each.type === sectionTypes.progbits &&
          (each.flags & sectionFlags.alloc) !== 0 &&
          highWord(elf, each) === high,
      )
      .slice(0, regionsMax)
      .map((each) => ({ low: lowWord(elf, each), offset: each.offset, size: each.size }));
  }

  /**
   * Returns the text that a 32-bit field points to, relative to itself; undefined when that is
   * nowhere.
   */
  textFrom(at: number): string | undefined {
    const distance = this.#elf.view.i32(at);
    const from = this.#addressOf(at);
    if (distance === 0 || from === undefined) return undefined;
    return this.#text(this.#offsetOf(from + distance));
  }

  /** Returns the text that a pointer of so many bytes points to. */
  textOfPointer(at: number, pointerBytes: 4 | 8): string | undefined {
    const { view } = this.#elf;
    const low = view.u32(pointerBytes === 8 && !view.littleEndian ? at + 4 : at);
    return low === 0 ? undefined : this.#text(this.#offsetOf(low));
  }

  #addressOf(offset: number): number | undefined {
    const region = this.#regions.find((r) => offset >= r.offset && offset < r.offset + r.size);
    return region === undefined ? undefined : region.low + (offset - region.offset);
  }

  #offsetOf(address: number): number | undefined {
    const low = address >>> 0;
    const region = this.#regions.find((r) => low >= r.low && low < r.low + r.size);
    return region === undefined ? undefined : region.offset + (low - region.low);
  }

  #text(offset: number | undefined): string | undefined {
    return offset === undefined ? undefined : this.#elf.view.text(offset, offset + nameBytesMax);
  }
}

/** Returns the address field of a section header, which `Section.address` rounds. */
const addressAt = (elf: Elf, section: Section): number =>
  section.headerOffset + (elf.bits === 64 ? 16 : 12);

function lowWord(elf: Elf, section: Section): number {
  const second = elf.bits === 64 && !elf.view.littleEndian ? 4 : 0;
  return elf.view.u32(addressAt(elf, section) + second);
}

function highWord(elf: Elf, section: Section): number {
  if (elf.bits === 32) return 0;
  return elf.view.u32(addressAt(elf, section) + (elf.view.littleEndian ? 4 : 0));
}

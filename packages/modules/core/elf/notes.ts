/**
 * ELF notes: here the GNU build id, which ties a loaded module to its file.
 *
 * A note is three 32-bit words (bytes of the name, bytes of the contents, type), the name and the
 * contents, each padded to 4 bytes. Source: elf(5), `parse_build_id()` in lib/buildid.c.
 */
import { sectionTypes, type Section } from './elf-format.ts';
import type { Elf } from './elf.ts';

const gnuBuildId = 3;
/** The longest build id that the kernel keeps (BUILD_ID_SIZE_MAX). */
const buildIdBytesMax = 20;
/** More notes than any module has; a hostile file could consist of them. */
const notesMax = 1024;
/** "GNU" and a NUL, whatever the byte order. */
const gnu = [0x47, 0x4e, 0x55, 0];

/** Returns the build id of the first note that has one, hexadecimal. Throws `FormatError`. */
export function readBuildId(elf: Elf): string | undefined {
  for (const section of elf.sections) {
    if (section.type !== sectionTypes.note) continue;
    const id = buildIdIn(elf, section);
    if (id !== undefined) return id;
  }
  return undefined;
}

function buildIdIn(elf: Elf, section: Section): string | undefined {
  const { view } = elf;
  const end = section.offset + section.size;
  let at = section.offset;
  for (let count = 0; at + 12 <= end && count < notesMax; count++) {
    const nameBytes = view.u32(at);
    const idBytes = view.u32(at + 4);
    const nameAt = at + 12;
    const idAt = nameAt + padded(nameBytes);
    const next = idAt + padded(idBytes);
    if (next > end) return undefined;
    const isBuildId =
      view.u32(at + 8) === gnuBuildId &&
      nameBytes === gnu.length &&
      gnu.every((byte, index) => view.u8(nameAt + index) === byte);
    if (isBuildId && idBytes > 0 && idBytes <= buildIdBytesMax) {
      return hexadecimal(view.slice(idAt, idBytes));
    }
    at = next;
  }
  return undefined;
}

const padded = (size: number): number => Math.ceil(size / 4) * 4;

export const hexadecimal = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/**
 * The archive that a .deb is: `!<arch>\n`, then members with a header of 60 bytes, padded to even
 * lengths.
 *
 *   debian-binary   1766000000  0     0     100644  4         `\n
 *
 * Long names (GNU `//`, BSD `#1/`) are not resolved: no Debian package has them. Source: deb(5),
 * ar(5).
 */
import { FormatError, bytesAsText } from '../elf/bytes.ts';

export interface ArMember {
  readonly name: string;
  /** The offset of the contents, from the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

/** Reads bytes from the file; fewer than asked at its end. */
export type ReadAt = (offset: number, bytes: number) => Uint8Array;

export const arMagic = '!<arch>\n';
const headerBytes = 60;
const maxMembers = 64;

/** Lists the members. Throws FormatError. */
export function readAr(readAt: ReadAt, fileBytes: number): readonly ArMember[] {
  if (bytesAsText(readAt(0, arMagic.length)) !== arMagic)
    throw new FormatError('is not an ar archive', 0);
  const members: ArMember[] = [];
  let offset = arMagic.length;
  while (offset < fileBytes) {
    if (members.length >= maxMembers) {
      throw new FormatError(`has more than ${maxMembers} members`, offset);
    }
    const member = memberOf(readAt(offset, headerBytes), offset);
    if (member.offset + member.bytes > fileBytes) {
      throw new FormatError(
        `ends in the middle of its member "${member.name}" of ${member.bytes} bytes`,
        member.offset,
      );
    }
    members.push(member);
    offset = member.offset + member.bytes + (member.bytes % 2);
  }
  return members;
}

function memberOf(header: Uint8Array, offset: number): ArMember {
  const text = bytesAsText(header);
  if (header.length < headerBytes || !text.endsWith('`\n') || text.length !== headerBytes) {
    throw new FormatError('has a member with a damaged header', offset);
  }
  const size = text.slice(48, 58).trimEnd();
  if (!/^\d{1,10}$/.test(size)) throw new FormatError('has a member without a size', offset + 48);
  return {
    name: text.slice(0, 16).trimEnd().replace(/\/$/, ''),
    offset: offset + headerBytes,
    bytes: Number(size),
  };
}

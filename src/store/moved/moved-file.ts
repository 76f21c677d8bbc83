/**
 * The files of moved histories: `history/moved/u1001.zst`, JSON in zstd, which only root can read. Each is replaced
 * whole, so a killed import leaves all of it or nothing.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { pinDirectory } from '../../../packages/base/io/pinned-directory.ts';
import { cannotRead, readBounded } from '../../../packages/base/io/regular-file.ts';
import { removeFile, removeLeftovers, replaceIn } from '../../../packages/base/io/replace-file.ts';
import { parseObject } from '../../../packages/base/json.ts';
import { shortBytes } from '../../../packages/base/bytes.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Member } from '../../usage/member.ts';
import { movedBytesMax, type MovedHistory, type MovedRecord } from './moved-record.ts';

const directoryOf = (history: string): string => `${history}/moved`;
const nameOf = (member: Member): string => `${member}.zst`;
export const movedFile = (history: string, member: Member): string =>
  `${directoryOf(history)}/${nameOf(member)}`;
/** The lock of all that writes these files. */
export const movedLock = (history: string): string => `${history}/moved.lock`;

/** Returns the members with whom something came. */
export function movedMembers(history: string): Result<readonly Member[], Problem> {
  const object = directoryOf(history);
  try {
    const names = readdirSync(object).map((name) => memberFile.exec(name)?.[1]);
    return ok(names.filter((name) => name !== undefined) as Member[]);
  } catch (error) {
    const cause = causeOf(error);
    return cause.errno === 'ENOENT' ? ok([]) : failed({ action: 'read', object, ...cause });
  }
}

const memberFile = /^(u\d{1,10})\.zst$/;

/** Compressed text is not longer than it was, but for a few bytes. */
const fileBytesMax = movedBytesMax + 2 ** 16;
/** Memory that an archive may make the reader use besides its contents: 2^24 bytes. */
const windowLogMax = 24;

/** Compresses a text, with a checksum that finds damage. */
export const pack = (text: string): Uint8Array =>
  zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });

/** Returns the text; undefined if it is not zstd, has more bytes than this, or is not UTF-8. */
export function unpack(packed: Uint8Array, bytesMax: number): string | undefined {
  try {
    const bytes = zstdDecompressSync(packed, {
      // To Node, zero is not a bound.
      maxOutputLength: Math.max(bytesMax, 1),
      params: { [constants.ZSTD_d_windowLogMax]: windowLogMax },
    });
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Reads what came with a tenant; undefined if nothing did. It was checked before it was kept. */
export function readMoved(
  history: string,
  member: Member,
): Result<MovedHistory | undefined, Problem> {
  const path = movedFile(history, member);
  const read = readBounded(path, fileBytesMax, { links: 'refuse' });
  if (!read.ok) return read.error.errno === 'ENOENT' ? ok(undefined) : read;
  const { since, records } = parseObject(unpack(read.value, movedBytesMax) ?? '') ?? {};
  if (typeof since === 'number' && Array.isArray(records))
    return ok({ since, records: records as readonly MovedRecord[] });
  return cannotRead(path, { reason: 'it is damaged', hint: 'remove it, and import it again' });
}

/** Keeps what came with a tenant. The caller has the lock. */
export function writeMoved(
  history: string,
  member: Member,
  moved: MovedHistory,
): Result<void, Problem> {
  const object = directoryOf(history);
  const text = JSON.stringify(moved);
  const length = Buffer.byteLength(text);
  if (length > movedBytesMax)
    return failed({
      action: 'keep the history of other hosts',
      reason: `it would have ${shortBytes(length)}; at most ${shortBytes(movedBytesMax)} are kept for a tenant`,
    });
  try {
    mkdirSync(object, { mode: 0o700, recursive: true });
  } catch (error) {
    return failed({ action: 'create the directory', object, ...causeOf(error) });
  }
  const pinned = pinDirectory(object, 'refuse');
  if (!pinned.ok) return pinned;
  using directory = pinned.value;
  removeLeftovers(directory, nameOf(member));
  return replaceIn(directory, nameOf(member), pack(text), { mode: 0o600 });
}

/** Removes what came with a former owner of a uid. */
export const removeMoved = (history: string, member: Member): Result<void, Problem> =>
  removeFile(movedFile(history, member));

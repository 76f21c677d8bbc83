/**
 * The request that a php-fpm worker is serving, from the pool's scoreboard: memory that php-fpm shares with its
 * workers, in which each worker writes its state. Its status page shows the same, but a tenant at its limit could not
 * answer: php-fpm starts a process for each answer, inside the same limits. Reading the memory needs no answer from
 * anybody, and works for every pool.
 *
 *     7fac2a52e000-7fac2a52f000 rw-s 00000000 00:01 6347        /dev/zero (deleted)      /proc/PID/maps
 *
 * The tenant can write there whatever it likes, and have as much of such memory as it likes: all is bounded and made
 * printable, and is shown to root and the tenant only. The query string, which may have passwords, is not read.
 * Source: fpm_scoreboard.h, struct fpm_scoreboard_proc_s of PHP 8.4; fpm_request.h; proc_pid_maps(5).
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { printable } from '../../../packages/base/printable.ts';
import { statusValue } from '../../sys/processes/process-status.ts';
import { readText } from '../../../packages/base/io/read.ts';
import type { ServedRequest } from '../../usage/incident.ts';

/** A PHP program has a few hundred mappings. */
const mapsBytesMax = 256 * 2 ** 10;
/** A scoreboard has 1.2 KiB for each worker; opcache shares 8 MiB or more. */
const boardBytesMax = 4 * 2 ** 20;
/** The least that php-fpm shares, and with it a bound on the boards of one process. */
const boardsMax = 4;
/** The sum over all processes of one request: workers of one pool share a board, which is small. */
const allBoardsBytesMax = 64 * 2 ** 20;
/** Places in a board that have the process id: one slot, and what happens to be the same number. */
const matchesMax = 2000;

/** Offsets on 64-bit processors, in bytes from the start of the process id. */
const at = {
  stage: 16,
  acceptedSeconds: 24,
  acceptedMicroseconds: 32,
  uri: { begin: 80, bytes: 128 },
  method: { begin: 720, bytes: 16 },
  script: { begin: 744, bytes: 256 },
  end: 1000,
} as const;

/** FPM_REQUEST_INFO to FPM_REQUEST_END: before and after these, the fields belong to another request. */
const servingStages = { first: 3, last: 5 } as const;

export const isPhpWorker = (name: string): boolean => name.startsWith('php-fpm');

/** Returns shared memory of the process that may be a scoreboard: names below /proc/PID/map_files. May hang. */
export function readBoardNames(proc: string, pid: number): readonly string[] {
  return parseBoardNames(readStart(`${proc}/${pid}/maps`, mapsBytesMax)?.toString('latin1') ?? '');
}

/** Matches mappings of the kernel's own shared memory, whose device no user's file system has. */
const shared =
  /^0*([0-9a-f]{1,16})-0*([0-9a-f]{1,16}) rw-s 0+ 00:01 \d+ +\/dev\/zero \(deleted\)$/gm;

export function parseBoardNames(maps: string): readonly string[] {
  return [...maps.matchAll(shared)]
    .filter(([, begin, end]) => BigInt(`0x${end}`) - BigInt(`0x${begin}`) <= boardBytesMax)
    .slice(0, boardsMax)
    .map(([, begin, end]) => `${begin}-${end}`);
}

/** How many bytes of boards may still be read. */
export interface BoardBudget {
  bytesLeft: number;
}

export const newBoardBudget = (): BoardBudget => ({ bytesLeft: allBoardsBytesMax });

/** Reads the request. `now`: monotonic, in seconds, as php-fpm counts. May hang. */
export function readServedRequest(
  proc: string,
  pid: number,
  boards: readonly string[],
  now: number,
  budget: BoardBudget,
): ServedRequest | undefined {
  const inside = innermostPid(readText(`${proc}/${pid}/status`) ?? '') ?? pid;
  for (const name of boards) {
    const bytesMax = Math.min(boardBytesMax, budget.bytesLeft);
    const board = readStart(`${proc}/${pid}/map_files/${name}`, bytesMax);
    if (board === undefined) continue;
    budget.bytesLeft = Math.max(0, budget.bytesLeft - board.length);
    const request = requestIn(board, inside, now);
    if (request !== undefined) return request;
  }
  return undefined;
}

/** Returns the pid as the process itself sees it: `NSpid:	4711	12`. */
const innermostPid = (status: string): number | undefined => {
  const last = /\d+$/.exec(statusValue(status, 'NSpid') ?? '')?.[0];
  return last === undefined ? undefined : Number(last);
};

/** Returns the request of the worker with this process id; undefined if it waits for one, or the number is all over the board. */
export function requestIn(board: Buffer, pid: number, now: number): ServedRequest | undefined {
  const needle = Buffer.alloc(8);
  needle.writeUInt32LE(pid);
  let found = -1;
  for (let matches = 0; matches < matchesMax; matches++) {
    found = board.indexOf(needle, found + 1);
    if (found === -1) return undefined;
    if (found % 8 !== 0 || found + at.end > board.length) continue;
    const request = requestOf(board.subarray(found, found + at.end), now);
    if (request !== undefined) return request;
  }
  return undefined;
}

function requestOf(slot: Buffer, now: number): ServedRequest | undefined {
  const stage = slot.readUInt32LE(at.stage);
  if (stage < servingStages.first || stage > servingStages.last) return undefined;
  const method = textIn(slot, at.method);
  const [path = ''] = textIn(slot, at.uri).split('?');
  if (!/^[A-Z]+$/.test(method) || path === '') return undefined;
  const accepted =
    Number(slot.readBigInt64LE(at.acceptedSeconds)) +
    Number(slot.readBigInt64LE(at.acceptedMicroseconds)) / 1e6;
  const seconds = Math.max(0, Math.round((now - accepted) * 1000) / 1000);
  return { method, path, script: textIn(slot, at.script), seconds };
}

function textIn(slot: Buffer, { begin, bytes }: { begin: number; bytes: number }): string {
  const field = slot.subarray(begin, begin + bytes);
  const end = field.indexOf(0);
  return printable(field.subarray(0, end === -1 ? bytes : end).toString('utf8'));
}

/** Returns the first bytes of a file; undefined if it cannot be read. */
function readStart(path: string, bytesMax: number): Buffer | undefined {
  try {
    const fd = openSync(path, 'r');
    try {
      return readUpTo(fd, bytesMax);
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

const chunkBytes = 64 * 2 ** 10;

function readUpTo(fd: number, bytesMax: number): Buffer {
  const chunks: Buffer[] = [];
  for (let length = 0; length < bytesMax;) {
    const chunk = Buffer.alloc(chunkBytes);
    const read = readSync(fd, chunk);
    if (read === 0) break;
    chunks.push(chunk.subarray(0, read));
    length += read;
  }
  return Buffer.concat(chunks);
}

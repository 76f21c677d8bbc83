/**
 * User quotas, by the kernel's own call. Source: quotactl(2), linux/quota.h, linux/dqblk_xfs.h.
 *
 *     struct if_dqblk: u64 bhardlimit bsoftlimit curspace ihardlimit isoftlimit curinodes
 *                      btime itime; u32 valid           (limits of space in blocks of 1 KiB)
 */
import { closeSync, constants, openSync } from 'node:fs';
import koffi from 'koffi';
import type { QuotaLimits } from '../plan/quota.ts';
import { errnoName, errnoOf, type ErrnoName } from './errno.ts';
import { fail, ok, type Result } from '../units/result.ts';

const libc = koffi.load('libc.so.6');
const syscallQuotactlFd = libc.func(
  'long syscall(long number, uint fd, uint command, uint id, void *data)',
);
const cQuotactl = libc.func('int quotactl(int command, const char *special, int id, void *data)');

const numberQuotactlFd = 443;
const blockBytes = 1024n;
const dqblkBytes = 72;
const userQuota = 0;
const command = (code: number) => ((code << 8) | userQuota) >>> 0;
const commands = {
  get: command(0x800007),
  set: command(0x800008),
  state: command((0x58 << 8) + 5),
};
const offsets = { blockHard: 0, blockSoft: 8, inodeHard: 24, inodeSoft: 32, valid: 64 };
const limitsAreValid = 1 | 4;
/** `FS_QUOTA_UDQ_ENFD` in `qs_flags`, the second field of struct fs_quota_stat. */
const enforced = 2;

function call(
  mountPoint: string,
  source: string,
  code: number,
  uid: number,
  data: Buffer,
): ErrnoName | undefined {
  let fd: number;
  try {
    fd = openSync(mountPoint, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    return errnoOf(error);
  }
  try {
    if (Number(syscallQuotactlFd(numberQuotactlFd, fd, code, uid, data)) === 0) return undefined;
    const error = errnoName(koffi.errno());
    // Before Linux 5.14 the device has to be named.
    if (error !== 'ENOSYS' || !source.startsWith('/dev/')) return error;
    return cQuotactl(code | 0, source, uid, data) === 0 ? undefined : errnoName(koffi.errno());
  } finally {
    closeSync(fd);
  }
}

/** Whether the file system at `mountPoint` enforces user quotas. */
export function userQuotaOn(mountPoint: string, source: string): boolean {
  const data = Buffer.alloc(256);
  const error = call(mountPoint, source, commands.state, 0, data);
  return error === undefined && (data.readUInt16LE(2) & enforced) !== 0;
}

export function readQuota(
  mountPoint: string,
  source: string,
  uid: number,
): Result<QuotaLimits, ErrnoName> {
  const data = Buffer.alloc(dqblkBytes);
  const error = call(mountPoint, source, commands.get, uid, data);
  // XFS has no record of a user who owns nothing yet.
  if (error === 'ENOENT') return ok({ spaceBytes: undefined, files: undefined });
  if (error !== undefined) return fail(error);
  const space = data.readBigUInt64LE(offsets.blockHard) * blockBytes;
  const files = data.readBigUInt64LE(offsets.inodeHard);
  return ok({
    spaceBytes: space === 0n ? undefined : Number(space),
    files: files === 0n ? undefined : Number(files),
  });
}

/** Sets the hard limits, and no soft ones: a limit that holds after a week is no limit. */
export function writeQuota(
  mountPoint: string,
  source: string,
  uid: number,
  limits: QuotaLimits,
): ErrnoName | undefined {
  const data = Buffer.alloc(dqblkBytes);
  data.writeBigUInt64LE(BigInt(limits.spaceBytes ?? 0) / blockBytes, offsets.blockHard);
  data.writeBigUInt64LE(BigInt(limits.files ?? 0), offsets.inodeHard);
  data.writeUInt32LE(limitsAreValid, offsets.valid);
  return call(mountPoint, source, commands.set, uid, data);
}

/**
 * User quotas, by the kernel's own call. Source: quotactl(2), linux/quota.h, linux/dqblk_xfs.h.
 *
 *     struct if_dqblk: u64 bhardlimit bsoftlimit curspace ihardlimit isoftlimit curinodes
 *                      btime itime; u32 valid           (limits of space in blocks of 1 KiB)
 *
 * The file system is named by its device file. quotactl_fd(2) would need its mount point open, which may be
 * covered by a tenant's mount, and writable, which it is not in a sandbox such as the agent's unit.
 */
import type { QuotaLimits } from '../../plan/quota.ts';
import type { Errno } from '../../base/problem.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { quotactl } from '../../sys/syscalls.ts';

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

function call(node: string, code: number, uid: number, data: Buffer): Result<void, Errno> {
  const error = quotactl(code, node, uid, data);
  return error === undefined ? ok(undefined) : fail(error);
}

/** Whether the mounted file system on the device `node` enforces user quotas. */
export function userQuotaOn(node: string): boolean {
  const data = Buffer.alloc(256);
  return call(node, commands.state, 0, data).ok && (data.readUInt16LE(2) & enforced) !== 0;
}

export function readQuota(node: string, uid: number): Result<QuotaLimits, Errno> {
  const data = Buffer.alloc(dqblkBytes);
  const got = call(node, commands.get, uid, data);
  // XFS has no record of a user who owns nothing yet.
  if (!got.ok && got.error === 'ENOENT') return ok({ spaceBytes: undefined, files: undefined });
  if (!got.ok) return got;
  const space = data.readBigUInt64LE(offsets.blockHard) * blockBytes;
  const files = data.readBigUInt64LE(offsets.inodeHard);
  return ok({
    spaceBytes: space === 0n ? undefined : Number(space),
    files: files === 0n ? undefined : Number(files),
  });
}

/** Sets the hard limits, and no soft ones: a limit that is enforced after a week is not a limit. */
export function writeQuota(node: string, uid: number, limits: QuotaLimits): Result<void, Errno> {
  const data = Buffer.alloc(dqblkBytes);
  data.writeBigUInt64LE(BigInt(limits.spaceBytes ?? 0) / blockBytes, offsets.blockHard);
  data.writeBigUInt64LE(BigInt(limits.files ?? 0), offsets.inodeHard);
  data.writeUInt32LE(limitsAreValid, offsets.valid);
  return call(node, commands.set, uid, data);
}

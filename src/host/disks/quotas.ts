/**
 * User quotas, through the kernel's own system call. Source: quotactl(2), linux/quota.h, linux/dqblk_xfs.h.
 *
 *     struct if_dqblk: u64 bhardlimit bsoftlimit curspace ihardlimit isoftlimit curinodes
 *                      btime itime; u32 valid           (limits of space in blocks of 1 KiB)
 *
 * The device file names the file system. quotactl_fd(2) would need the mount point open and writable. But a tenant's
 * mount may cover it, and it is read-only in a sandbox such as the agent's unit.
 */
import type { QuotaLimit, QuotaRecord } from '../../plan/quota.ts';
import type { Errno } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { quotactl, quotactlAside } from '../../sys/syscalls.ts';

const blockBytes = 1024n;
const dqblkBytes = 72;
const userQuota = 0;
const command = (code: number) => ((code << 8) | userQuota) >>> 0;
const commands = {
  get: command(0x800007),
  set: command(0x800008),
  state: command((0x58 << 8) + 5),
};
const offsets = {
  blockHard: 0,
  blockSoft: 8,
  space: 16,
  inodeHard: 24,
  inodeSoft: 32,
  inodes: 40,
  valid: 64,
};
const spaceIsValid = 1;
const filesAreValid = 4;
/** `FS_QUOTA_UDQ_ACCT` and `FS_QUOTA_UDQ_ENFD` in `qs_flags`, the second field of struct fs_quota_stat. */
const counted = 1;
const enforced = 2;

function call(node: string, code: number, uid: number, data: Buffer): Result<void, Errno> {
  const error = quotactl(code, node, uid, data);
  return error === undefined ? ok(undefined) : fail(error);
}

/** Whether the mounted file system on the device `node` enforces user quotas. */
export const userQuotaOn = (node: string): boolean => (quotaFlags(node) & enforced) !== 0;

/** Whether it counts what users have, enforced or not: ext4 with the feature "quota" always does. */
export const userQuotaCounted = (node: string): boolean => (quotaFlags(node) & counted) !== 0;

function quotaFlags(node: string): number {
  const data = Buffer.alloc(256);
  return call(node, commands.state, 0, data).ok ? data.readUInt16LE(2) : 0;
}

/** A user's space quota, in bytes, and file quota. */
export interface Quotas {
  readonly space: QuotaLimit;
  readonly files: QuotaLimit;
}

const unlimitedQuota: QuotaLimit = { hard: undefined, soft: undefined };

export function readQuota(node: string, uid: number): Result<Quotas, Errno> {
  const data = Buffer.alloc(dqblkBytes);
  const got = call(node, commands.get, uid, data);
  // XFS has no record of a user who owns nothing yet.
  if (!got.ok && got.error === 'ENOENT')
    return ok({ space: unlimitedQuota, files: unlimitedQuota });
  if (!got.ok) return got;
  const limit = (hard: number, soft: number, unit: bigint): QuotaLimit => ({
    hard: limitOf(data.readBigUInt64LE(hard) * unit),
    soft: limitOf(data.readBigUInt64LE(soft) * unit),
  });
  return ok({
    space: limit(offsets.blockHard, offsets.blockSoft, blockBytes),
    files: limit(offsets.inodeHard, offsets.inodeSoft, 1n),
  });
}

/** The disk usage of a user, as its quota counts it. */
export interface DiskUsage {
  readonly spaceBytes: number;
  readonly files: number;
}

/** Returns the usage of a user; undefined if quotas are off or have no record of it. Never blocks the caller. */
export async function readUsage(node: string, uid: number): Promise<DiskUsage | undefined> {
  const data = Buffer.alloc(dqblkBytes);
  if (!(await quotactlAside(commands.get, node, uid, data))) return undefined;
  const at = (offset: number) => Number(data.readBigUInt64LE(offset));
  return { spaceBytes: at(offsets.space), files: at(offsets.inodes) };
}

const limitOf = (value: bigint) => (value === 0n ? undefined : Number(value));

/** Sets the given quotas and leaves the rest: the kernel accepts space and files separately. */
export function writeQuota(node: string, uid: number, given: QuotaRecord): Result<void, Errno> {
  const data = Buffer.alloc(dqblkBytes);
  const put = ({ hard, soft }: QuotaLimit, at: readonly [number, number], unit: bigint) => {
    data.writeBigUInt64LE(BigInt(hard ?? 0) / unit, at[0]);
    data.writeBigUInt64LE(BigInt(soft ?? 0) / unit, at[1]);
  };
  let valid = 0;
  if (given.space !== undefined) {
    put(given.space, [offsets.blockHard, offsets.blockSoft], blockBytes);
    valid |= spaceIsValid;
  }
  if (given.files !== undefined) {
    put(given.files, [offsets.inodeHard, offsets.inodeSoft], 1n);
    valid |= filesAreValid;
  }
  if (valid === 0) return ok(undefined);
  data.writeUInt32LE(valid, offsets.valid);
  return call(node, commands.set, uid, data);
}

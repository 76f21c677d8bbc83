/** Whether a running process has the sandbox of a drop-in: read from the kernel, not from files. */
import { assignmentsOf } from './drop-in.ts';

/** Bits of a bounding set. Source: include/uapi/linux/capability.h. */
const bits: Readonly<Record<string, number>> = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  DAC_READ_SEARCH: 2,
  FOWNER: 3,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  NET_BIND_SERVICE: 10,
  IPC_LOCK: 14,
  SYS_CHROOT: 18,
  SYS_NICE: 23,
  SYS_RESOURCE: 24,
  AUDIT_WRITE: 29,
};

export function boundingSet(words: string): bigint {
  return words.split(' ').reduce((set, word) => {
    const bit = bits[word.replace(/^CAP_/, '')];
    return bit === undefined ? set : set | (1n << BigInt(bit));
  }, 0n);
}

/**
 * Whether the sandbox is in force. `status` is the main process's, from /proc. The process may have dropped more
 * capabilities than it had to.
 */
export function isSandboxInForce(dropIn: string, status: string): boolean {
  const allowed = assignmentsOf(dropIn)
    .filter(([key]) => key === 'CapabilityBoundingSet')
    .reduce((set, [, value]) => set | boundingSet(value), 0n);
  const bounding = /^CapBnd:\s+([0-9a-f]+)$/m.exec(status)?.[1];
  const filtered = /^Seccomp:\s+2$/m.test(status);
  return filtered && bounding !== undefined && (BigInt(`0x${bounding}`) & ~allowed) === 0n;
}

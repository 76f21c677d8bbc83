/** Whether processes in jails get the seccomp filter here: the kernel has it, and we have one for the processor. */
import { existsSync } from 'node:fs';

export const canFilter = (): boolean =>
  (process.arch === 'x64' || process.arch === 'arm64') && existsSync('/proc/sys/kernel/seccomp');

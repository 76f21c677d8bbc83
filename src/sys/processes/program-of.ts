/** The program that a process runs. */
import { linkAt } from '../files/read.ts';

/**
 * Returns the path of its file, which another may have replaced since; empty for a kernel thread, and for a process
 * that has ended.
 */
export const programOf = (pid: string | number): string =>
  linkAt(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');

/** What a process runs. */
import { linkAt } from '../files/read.ts';

/** The path of its file, which another may have replaced since; empty for a thread of the kernel's, and for one that has ended. */
export const programOf = (pid: string | number): string =>
  linkAt(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');

/** Compresses a file next to itself, the same on every machine. */
import { run } from '../package/tools.ts';
import type { Job } from './site.ts';

export const xz = (job: Job, file: string): Promise<string> =>
  run(job, 'xz', ['--keep', '--force', '-6', '--threads=1', file]);

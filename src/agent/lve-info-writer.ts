/** Writes `/var/lve/info` after a tick, where `bulkhead cloudlinux install` has asked for it. */
import { lveInfoDirectory, writeLveInfo } from '../host/lve-info-file.ts';
import type { Paths } from '../host/paths.ts';
import type { LimitNumbers, TopRow } from './api.ts';
import type { Log } from './log.ts';
import { lveInfo } from './lve-info.ts';

export class LveInfo {
  readonly #paths: Paths;
  readonly #log: Log;
  #problem: string | undefined;

  constructor(paths: Paths, log: Log) {
    this.#paths = paths;
    this.#log = log;
  }

  write(rows: () => readonly TopRow[], defaults: LimitNumbers): void {
    const directory = lveInfoDirectory(this.#paths);
    if (directory === undefined) return;
    const problem = writeLveInfo(directory, lveInfo(rows(), defaults));
    if (problem !== undefined && problem !== this.#problem) this.#log.error(problem);
    this.#problem = problem;
  }
}

/** The input of every benchmark. */
import type { Built } from './start.ts';

export interface Bench {
  /** A directory for its files; removed at the end. */
  readonly directory: string;
  /** The compiled floor.c. */
  readonly floor: string;
  readonly built: Built;
  readonly quick: boolean;
  /** The requested number of tenants, for a benchmark that can have any number. */
  readonly tenants?: number;
  /** Aborted by Ctrl-C; the benchmark's files and cgroups are removed all the same. */
  readonly signal: AbortSignal;
}

/** What every benchmark is given. */
import type { Built } from './start.ts';

export interface Bench {
  /** For its files; removed at the end. */
  readonly directory: string;
  /** The built floor.c. */
  readonly floor: string;
  readonly built: Built;
  readonly quick: boolean;
  /** As many as were asked for, of a benchmark that can have any number. */
  readonly tenants?: number;
  /** Aborted by Ctrl-C; what was made is removed all the same. */
  readonly signal: AbortSignal;
}

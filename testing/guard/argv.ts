/** How a command runs under a guard; see `main.ts`. */
import { fileURLToPath } from 'node:url';

export const guarded = (command: readonly string[]): readonly string[] => [
  process.execPath,
  fileURLToPath(new URL('main.ts', import.meta.url)),
  ...command,
];

/**
 * The environment variable of a guarded program, so that no guard is put around another for
 * nothing.
 */
export const guardedMark = 'BULKHEAD_TESTS_GUARDED';

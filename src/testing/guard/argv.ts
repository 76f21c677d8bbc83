/** How a command runs under a guard; see `main.ts`. */
import { fileURLToPath } from 'node:url';

export const guarded = (command: readonly string[]): readonly string[] => [
  process.execPath,
  fileURLToPath(new URL('main.ts', import.meta.url)),
  ...command,
];

/** In the environment of what a guard runs, so that none is put around another for nothing. */
export const guardedMark = 'BULKHEAD_TESTS_GUARDED';

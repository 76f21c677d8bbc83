/** German. */
import { shared } from './de/shared.ts';
import { shell } from './de/shell.ts';
import type { Words } from './words.ts';

export const de: Words = {
  ...shared,
  shell,
};

/** English, the language that the others are translated from. Each part of the page has a file in `en/`. */
import { shared } from './en/shared.ts';
import { shell } from './en/shell.ts';

export const en = {
  ...shared,
  shell,
};

/** A daemon that can be confined: how its unit is found, what it may do and why, what it checks itself by. */
import type { Facts, Line } from './line.ts';

export interface Profile {
  /** On the command line, and the name of its unit. PHP-FPM has one for each version. */
  readonly service: string;
  readonly aliases: readonly string[];
  readonly does: string;
  readonly program: string;
  /** Arguments with which the program judges its own configuration, where it can. */
  readonly check?: readonly string[];
  readonly lines: (facts: Facts) => readonly Line[];
  /** What no longer works. */
  readonly breaks: readonly string[];
}

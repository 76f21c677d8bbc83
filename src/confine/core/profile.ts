/** A daemon that can be confined: how to find its unit, what it may do and why, how to check its configuration. */
import type { ServiceFacts, Line } from './line.ts';

export interface DaemonProfile {
  /** The name on the command line and of its unit. PHP-FPM has one for each version. */
  readonly service: string;
  readonly aliases: readonly string[];
  readonly does: string;
  readonly program: string;
  /** Arguments with which the program checks its own configuration, if it can. */
  readonly check?: readonly string[];
  readonly lines: (facts: ServiceFacts) => readonly Line[];
  /** Features that no longer work. */
  readonly breaks: readonly string[];
}

/** A change of how the host boots, and what this host has of it. */
import type { BootFacts } from './facts.ts';

export const bootOptionNames = [
  'lsm',
  'quota',
  'pressure',
  'memory',
  'swap',
  'cgroup2',
  'favordynmods',
] as const;
export type BootOptionName = (typeof bootOptionNames)[number];

/** An option that is to be added to a mount in /etc/fstab. */
export interface FstabOption {
  /** The mount point. */
  readonly mountPoint: string;
  /** The option. */
  readonly option: string;
}

/**
 *     there       this host has it
 *     lacking     these words on the kernel's command line, and in /etc/fstab, bring it
 *     by hand     it is lacking, and a running host cannot do it: the commands, for people
 *     impossible  this kernel cannot, or this host has no use for it
 *     unknown     it could not be established
 */
export type Need =
  | { readonly kind: 'there' }
  | {
      readonly kind: 'lacking';
      readonly words: readonly string[];
      readonly fstab?: readonly FstabOption[];
      /** A consequence that people have to know. */
      readonly remark?: string;
      /** A command that brings it now, until the next boot. */
      readonly now?: readonly string[];
    }
  | { readonly kind: 'by hand'; readonly reason: string; readonly commands: readonly string[] }
  | { readonly kind: 'impossible' | 'unknown'; readonly reason: string };

export interface BootOption {
  readonly name: BootOptionName;
  /** The gain, in one line. */
  readonly brings: string;
  /** The cost, in one line. */
  readonly cost: string;
  /** Whether it is done only if the command line names it. */
  readonly onlyIfNamed?: true;
  /** The layers of protection that it raises. */
  readonly layers: readonly string[];
  readonly need: (facts: BootFacts) => Need;
}

export const there: Need = { kind: 'there' };
export const impossible = (reason: string): Need => ({ kind: 'impossible', reason });
export const unknown = (reason: string): Need => ({ kind: 'unknown', reason });
export const noConfig = unknown(
  'the options that this kernel was built with are not in /proc/config.gz, /boot or /lib/modules',
);

/** Compares, by name, what a tenant sees with what the host has, one directory after another. */
import { splitWords } from './split-words.ts';

/**
 * The directories whose names are compared. Homes, /usr and /opt are left out: they are the same, or the
 * tenant's.
 */
export const comparedDirectories = splitWords(`
  / /boot /dev /etc /home /media /mnt /proc /root /run /srv /sys /tmp /var /var/lib
  /var/log /var/tmp /var/www
`);

export interface Difference {
  /** The directory whose names are compared. */
  readonly directory: string;
  /** Names that only the host has. */
  readonly hidden: readonly string[];
  /** Names that only the jail has. */
  readonly added: readonly string[];
  /** The number of names that both have. */
  readonly same: number;
}

export function compareNames(
  directory: string,
  host: readonly string[],
  jail: readonly string[],
): Difference {
  const inJail = new Set(jail);
  const inHost = new Set(host);
  return {
    directory,
    hidden: host.filter((name) => !inJail.has(name)),
    added: jail.filter((name) => !inHost.has(name)),
    same: host.filter((name) => inJail.has(name)).length,
  };
}

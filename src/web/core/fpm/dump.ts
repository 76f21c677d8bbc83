/**
 * The output of `php-fpm8.4 -tt`: every pool with all its values, defaults included.
 *
 *     [26-Nov-2026 01:15:08] NOTICE: [www]
 *     [26-Nov-2026 01:15:08] NOTICE: 	user = www-data
 *     [26-Nov-2026 01:15:08] NOTICE: 	listen = /run/php/php8.4-fpm.sock
 *     [26-Nov-2026 01:15:08] NOTICE: 	chroot = undefined
 *
 * With `error_log = syslog` a line begins with `[NOTICE] ` instead.
 * Source: fpm_conf.c, zlog.c, fpm_conf_dump().
 */
import { parseAddress, type Address } from '../address.ts';
import type { ReadProblem } from '../directive.ts';

export interface FpmPool {
  /** The pool's name. */
  readonly name: string;
  /** The account that it runs as. */
  readonly user: string;
  /** The group that it runs as; absent if the pool sets none. */
  readonly group?: string;
  /** The `listen` directive as written. */
  readonly listen: string;
  /** The address that it listens at; absent if it cannot be read. */
  readonly address?: Address;
  /** `static`, `dynamic` or `ondemand`. */
  readonly pm: string;
  /** The value of `pm.max_children`. */
  readonly childrenMax: number;
  /** The directory of its chroot; absent if it has none. */
  readonly chroot?: string;
}

const line =
  /^(?:\[[^\]]*\] NOTICE: |\[NOTICE\] )(?:\[(?<section>.*)\]|\t(?<key>[^\t =]+) = (?<value>.*))$/;
const poolsMax = 100_000;

/** A section with the values that are set. */
export interface FpmSection {
  readonly name: string;
  readonly values: ReadonlyMap<string, string>;
}

/** Returns the sections of pools; the global section is left out. */
export function parseFpmSections(text: string): readonly FpmSection[] {
  const sections: { readonly name: string; readonly values: Map<string, string> }[] = [];
  for (const each of text.split('\n')) {
    const { section, key, value } = line.exec(each)?.groups ?? {};
    if (section !== undefined) {
      if (sections.length === poolsMax) break;
      sections.push({ name: section, values: new Map() });
    } else if (key !== undefined && value !== undefined && value !== 'undefined')
      sections.at(-1)?.values.set(key, value);
  }
  return sections.filter(({ name }) => name !== 'global');
}

/** Whether php-fpm refuses a configuration only because no pool is in it. Source: fpm_conf.c, fpm_conf_post_process(). */
export const lacksPools = ({ message }: ReadProblem): boolean =>
  message.startsWith('No pool defined.');

export const parseFpmDump = (text: string): readonly FpmPool[] =>
  parseFpmSections(text).map(poolOfSection);

export function poolOfSection({ name, values }: FpmSection): FpmPool {
  const listen = values.get('listen') ?? '';
  const address = parseAddress(listen);
  const group = values.get('group');
  const chroot = values.get('chroot');
  return {
    name,
    // Without a user, workers would run as the master's account. php-fpm refuses that for root.
    user: values.get('user') ?? '',
    ...(group === undefined ? {} : { group }),
    listen,
    ...(address === undefined ? {} : { address }),
    pm: values.get('pm') ?? '',
    childrenMax: Number(values.get('pm.max_children') ?? 0),
    ...(chroot === undefined ? {} : { chroot }),
  };
}

/**
 * Names of tenants' PHP-FPM services: the instance, the build of PHP, and the uid.
 *
 *     bulkhead-fpm84@1001.service               PHP 8.4 of the distribution
 *     bulkhead-fpm-ea-php83@1001.service        ea-php83 of cPanel
 *
 * An instance may be called `bulkhead-fpm-x`: only names of builds count after `-fpm-`.
 */
import { namedBuilds } from './layouts.ts';

const version = /^\d+\.\d+$/;

/** Whether a text can be the name of a build of PHP. It becomes part of unit names and paths. */
export const isPhpId = (id: string): boolean =>
  version.test(id) || /^[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*$/.test(id);

export const serviceStem = (instance: string, id: string): string =>
  `${instance}-fpm${version.test(id) ? id.replace('.', '') : `-${id}`}`;

/** Returns the name of a build's php-fpm in logs and lists: `php-fpm8.4`, `php-fpm-ea-php83`. */
export const fpmName = (id: string): string => `php-fpm${version.test(id) ? '' : '-'}${id}`;

/** Returns the first part of the names of Bulkhead's own sockets: `php8.4-fpm`, `ea-php83-fpm`. */
export const socketStem = (id: string): string => `${version.test(id) ? 'php' : ''}${id}-fpm`;

const stem = `-fpm(?:(?<major>\\d)(?<minor>\\d+)|-(?<id>${namedBuilds}))`;

/** Matches what is before the `@` of a service or socket, after the instance. */
export const stemPattern = `-fpm(?:\\d+|-(?:${namedBuilds}))`;

const unitEnd = String.raw`@(?<uid>\d{1,10})(?::.*)?\.(?:service|socket)$`;

/** Parses the name of a tenant's service or socket into the build of PHP and the uid. */
export function phpOfUnit(
  instance: string,
  unit: string,
): { readonly php: string; readonly uid: number } | undefined {
  const unitName = new RegExp(`^${instance}${stem}${unitEnd}`);
  const { major, minor, id, uid } = unitName.exec(unit)?.groups ?? {};
  if (uid === undefined) return undefined;
  return { php: id ?? `${major}.${minor}`, uid: Number(uid) };
}

/**
 * The names by which browsers may call the console. A page of another name, whose owner has it lead to this host, gets
 * no answer.
 */

/** Names of the other end of an SSH tunnel. */
const loopbacks = ['localhost', '127.0.0.1', '[::1]'];
const namesMax = 64;

const hostPattern =
  /^(?<name>\[[0-9a-f:.]{2,45}\]|[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?)\.?(?::\d{1,5})?$/i;

/** Returns the name in `NAME[:PORT]`, in lower case; undefined if it is not one. */
export const nameInHost = (host: string): string | undefined =>
  hostPattern.exec(host)?.groups?.['name']?.toLowerCase();

/** Returns the names that requests may have, in addition to the names of a tunnel; undefined if one is not a name. */
export function allowedNames(names: readonly string[]): ReadonlySet<string> | undefined {
  const parsed = names.map((each) =>
    each.includes(':') && !each.startsWith('[') ? undefined : nameInHost(each),
  );
  const isGood = names.length <= namesMax && parsed.every((each) => each !== undefined);
  return isGood ? new Set([...loopbacks, ...parsed]) : undefined;
}

/** Returns the address that shares a client's bounds: an address of IPv4, or the first 64 bits of IPv6. */
export function networkOf(address: string, isSix: boolean): string {
  const [, mapped] = /^::ffff:(\d+(?:\.\d+){3})$/i.exec(address) ?? [];
  if (!isSix || mapped !== undefined) return mapped ?? address;
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array<string>(Math.max(zeros, 0)).fill('0'), ...after]
    .slice(0, 4)
    .join(':');
}

/** Returns the name of the host of `https://NAME[:PORT]`; undefined for anything else, such as `null`. */
export function nameInOrigin(origin: string): string | undefined {
  const [, host] = /^https?:\/\/([^/?#@\\]+)$/i.exec(origin) ?? [];
  return host === undefined ? undefined : nameInHost(host);
}

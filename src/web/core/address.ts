/**
 * The address of a program to which a web server passes requests.
 *
 *     unix:/run/php/shop.sock      127.0.0.1:9000      [::1]:9000      9000      *:9000
 */

export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Every address of this host. */
const any = '*';
const anyHosts = new Set(['', '*', '0.0.0.0', '[::]']);

/** Parses an address without a scheme. `port` is used if the text names none. */
export function parseAddress(text: string, port?: number): Address | undefined {
  const unix = /^(?:unix:)?(\/[^|]*?):?$/.exec(text);
  if (unix?.[1] !== undefined) return { kind: 'unix', path: unix[1] };
  const digits = /^\d{1,5}$/.exec(text);
  if (digits !== null && port === undefined) return tcp('', Number(text));
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:/[\]$ ]*)(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const number = match[2] === undefined ? port : Number(match[2]);
  return number === undefined ? undefined : tcp(match[1] ?? '', number);
}

function tcp(host: string, port: number): Address | undefined {
  if (port < 1 || port > 65_535) return undefined;
  const lower = host.startsWith('[') ? shortestIpv6(host) : host.toLowerCase();
  return { kind: 'tcp', host: anyHosts.has(lower) ? any : lower, port };
}

/** `[0:0:0:0:0:0:0:1]` → `[::1]`. */
const shortestIpv6 = (host: string) => URL.parse(`http://${host}/`)?.hostname ?? host;

/** Returns a key for an index. Addresses that could be the same have the same key. */
export const addressKey = (address: Address): string =>
  address.kind === 'unix' ? address.path : String(address.port);

export function sameAddress(a: Address, b: Address): boolean {
  if (addressKey(a) !== addressKey(b) || a.kind !== b.kind) return false;
  if (a.kind === 'unix' || b.kind === 'unix') return true;
  return a.host === any || b.host === any || a.host === b.host || (isLoopback(a) && isLoopback(b));
}

/** Whether the address can only be on this host. */
export function isLoopback(address: Address): boolean {
  return address.kind === 'unix' || /^(localhost|127\..*|\[::1\])$/.test(address.host);
}

export function formatAddress(address: Address): string {
  return address.kind === 'unix' ? address.path : `${address.host}:${address.port}`;
}

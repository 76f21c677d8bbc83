/**
 * Where a pool listens, in the words of systemd and in those of FPM_SOCKETS, by which php-fpm finds the socket that
 * it was given instead of making one.
 *
 *     listen in the pool     ListenStream=          in FPM_SOCKETS
 *     /run/php/shop.sock     /run/php/shop.sock     /run/php/shop.sock=3
 *     127.0.0.1:9010         127.0.0.1:9010         127.0.0.1:9010=3
 *     [::1]:9010             [::1]:9010             ::1:9010=3
 *
 * Source: fpm_sockets.c, fpm_sockets_init_main() and fpm_sockets_hash_key(); systemd.socket(5).
 */

export interface Listen {
  readonly kind: 'unix' | 'tcp';
  readonly stream: string;
  readonly key: string;
}

/** What neither systemd, nor php-fpm, nor a shell reads as anything but itself. */
const plainPath = /^\/[A-Za-z0-9._/@+-]{1,97}$/;

/** The error is a clause about the pool. */
export function listenOf(text: string): Listen | string {
  if (text.startsWith('/')) {
    if (!plainPath.test(text) || /\/\.{0,2}(\/|$)/.test(text))
      return 'its socket has a path that systemd or php-fpm may read differently';
    return { kind: 'unix', stream: text, key: text };
  }
  const match = /^(?<host>\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\]):(?<port>[1-9]\d{0,4})$/.exec(
    text,
  );
  const { host = '', port = '' } = match?.groups ?? {};
  // As the kernel prints it: php-fpm looks the socket up by that text.
  const isShortest = host !== '' && URL.parse(`http://${host}/`)?.hostname === host;
  if (!isShortest || Number(port) > 65_535)
    return `it listens at ${text}, not at an address in digits with a port, such as 127.0.0.1:9000`;
  return { kind: 'tcp', stream: text, key: `${host.replace(/^\[|\]$/g, '')}:${port}` };
}

/**
 * A socket is made beside the path, and gets it when it has its owner and its mode: until then a web server would
 * be refused at it.
 */
const besideSuffix = '.bulkhead';

export const boundAt = ({ kind, stream }: Listen): string =>
  kind === 'unix' ? `${stream}${besideSuffix}` : stream;

/** The path for which a socket was made, by where it is bound. */
export const pathOfBound = (path: string): string =>
  path.endsWith(besideSuffix) ? path.slice(0, -besideSuffix.length) : path;

/**
 * The name that the socket has for the service, which the launcher turns into its key: systemd separates names by
 * colons.
 */
export const descriptorName = ({ key }: Listen): string => key.replaceAll(':', ';');

export const directoryOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';

export const basenameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

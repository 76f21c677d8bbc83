/**
 * Where a pool listens: a path. php-fpm gets the socket by the variable FPM_SOCKETS, in which it has the same name, instead
 * of making one. A pool at a TCP port stays with the distribution's service: while a port changes hands it is free for a
 * moment, and any account could take it, and the requests of the pool with it.
 *
 *     listen in the pool     ListenStream=                   in FPM_SOCKETS
 *     /run/php/shop.sock     /run/php/shop.sock.bulkhead     /run/php/shop.sock=3
 *
 * Source: fpm_sockets.c, fpm_sockets_init_main(); systemd.socket(5).
 */

export interface Listen {
  readonly stream: string;
}

/** What neither systemd, nor php-fpm, nor a shell reads as anything but itself. */
const plainPath = /^\/[A-Za-z0-9._/@+-]{1,97}$/;

/** The error is a clause about the pool. */
export function listenOf(text: string): Listen | string {
  if (!text.startsWith('/'))
    return `it listens at ${text}, and any account could take a port while it changes hands; listen at a path below /run/php`;
  return plainPath.test(text) && !/\/\.{0,2}(\/|$)/.test(text)
    ? { stream: text }
    : 'its socket has a path that systemd or php-fpm may read differently';
}

/**
 * A socket is made beside the path, and gets it when it has its owner and its mode: until then a web server would
 * be refused at it.
 */
const besideSuffix = '.bulkhead';

export const boundAt = ({ stream }: Listen): string => `${stream}${besideSuffix}`;

/** The path for which a socket was made, by where it is bound. */
export const pathOfBound = (path: string): string =>
  path.endsWith(besideSuffix) ? path.slice(0, -besideSuffix.length) : path;

export const directoryOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';

export const basenameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/**
 * The address of a pool: a path. php-fpm gets the socket under this name in the variable FPM_SOCKETS, instead of making
 * one. A pool at a TCP port stays with the distribution's service. While a port changes hands it is free for a moment,
 * and any account could take it, and the pool's requests with it.
 *
 *     listen in the pool     ListenStream=                   in FPM_SOCKETS
 *     /run/php/shop.sock     /run/php/shop.sock.bulkhead     /run/php/shop.sock=3
 *
 * Source: fpm_sockets.c, fpm_sockets_init_main(); systemd.socket(5).
 */
import type { Cause } from '../../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../../packages/base/result.ts';

export interface Listen {
  readonly stream: string;
}

/** Paths that systemd, php-fpm and shells all read literally. */
const plainPath = /^\/[A-Za-z0-9._/@+-]{1,97}$/;

/** Parses a `listen` value. The cause is a clause about the pool. */
export function listenOf(text: string): Result<Listen, Cause> {
  if (!text.startsWith('/'))
    return fail({
      reason: `it listens at ${text}, and any account could take a port while it changes hands`,
      hint: 'listen at a path below /run/php',
    });
  return plainPath.test(text) && !/\/\.{0,2}(\/|$)/.test(text)
    ? ok({ stream: text })
    : fail({ reason: 'its socket has a path that systemd or php-fpm may read differently' });
}

/**
 * The suffix of the path at which a socket is made. It gets its real path once it has its owner and mode: until then it
 * would refuse web servers.
 */
const besideSuffix = '.bulkhead';

export const boundAt = ({ stream }: Listen): string => `${stream}${besideSuffix}`;

/** Returns the final path of a socket, given the path at which it is bound. */
export const pathOfBound = (path: string): string =>
  path.endsWith(besideSuffix) ? path.slice(0, -besideSuffix.length) : path;

export const socketDirectory = (path: string): string =>
  path.slice(0, path.lastIndexOf('/')) || '/';

export const basenameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

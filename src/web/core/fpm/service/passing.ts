/**
 * A drop-in for the distribution's service, for the one start in which its php-fpm takes over the sockets of tenants'
 * services. php-fpm does not bind a path at which somebody listens, so without that a pool that goes back would have a
 * gap as long as the start. php-fpm keeps such a socket when it is reloaded, and removes its path when it ends, as if
 * it had bound it.
 *
 *     [Service]
 *     Sockets=bulkhead-fpm84@1001:shop.socket
 *     ExecStart=
 *     ExecStart=/bin/sh -c '…; exec "$$@"' sh /usr/sbin/php-fpm8.4 --nodaemonize
 *
 * Source: systemd.service(5); fpm_sockets.c, fpm_sockets_init_main().
 */

/** Words that systemd and a shell read literally. */
const plainWord = /^[A-Za-z0-9._/=:,@+-]+$/;

/**
 * Parses what `systemctl show` prints of `ExecStart=`. Returns nothing for anything but one plain command.
 *
 *     { path=/usr/sbin/php-fpm8.4 ; argv[]=/usr/sbin/php-fpm8.4 --nodaemonize ; ignore_errors=no ; … }
 */
export function startWords(shown: string): readonly string[] | undefined {
  const match = /^\{ path=(?<path>\S+) ; argv\[\]=(?<words>[^;{}]+) ; ignore_errors=no ; [^{}]*\}$/;
  const { path, words = '' } = match.exec(shown.trim())?.groups ?? {};
  const all = words.split(' ');
  return path === all[0] && all.every((each) => plainWord.test(each)) ? all : undefined;
}

/** Tells php-fpm which descriptor is which socket, as systemd has told this shell, which becomes php-fpm. */
export const takeSockets = [
  'set -f',
  'fd=3 FPM_SOCKETS= IFS=:',
  'for name in $LISTEN_FDNAMES; do FPM_SOCKETS=$FPM_SOCKETS${FPM_SOCKETS:+,}$name=$fd fd=$((fd + 1)); done',
  'export FPM_SOCKETS',
  'unset LISTEN_FDS LISTEN_PID LISTEN_FDNAMES LISTEN_PIDFDID IFS',
  'exec "$@"',
].join('; ');

export const passingDropIn = (
  sockets: readonly string[],
  words: readonly string[],
): string => `# Written by "bulkhead web fpm disable", which removes it after the start.
[Service]
${sockets.map((each) => `Sockets=${each}\n`).join('')}ExecStart=
ExecStart=/bin/sh -c '${takeSockets.replaceAll('$', '$$$$')}' sh ${words.join(' ')}
`;

/** The state of the console's socket, found without a connection, which would start the front. */
import { readText } from '../../../packages/base/io/read.ts';
import { consoleSocketOf, type Paths } from '../../host/paths.ts';

const listeningFlag = 0x10000;

/**
 * Whether a program listens on the console's socket. Source: proc_net_unix(5).
 *
 *     0000000000000000: 00000002 00000000 00010000 0001 01 16163 /run/bulkhead/console.sock
 */
export function isListening(paths: Paths): boolean {
  const path = consoleSocketOf(paths);
  return (readText(`${paths.proc}/net/unix`) ?? '').split('\n').some((line) => {
    const [, , , flags = '0', , , , name] = line.trim().split(/\s+/);
    return name === path && (Number.parseInt(flags, 16) & listeningFlag) !== 0;
  });
}

/** Says what to do if nothing listens. */
export const notListening = (socket: string): string =>
  `Nothing listens on ${socket}; as root, enable it: bulkhead console enable`;

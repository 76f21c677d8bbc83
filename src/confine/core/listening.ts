/**
 * Sockets that wait for somebody, from the tables of /proc/net, by their inode.
 *
 *       sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
 *        0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   107        0 17562
 *
 * Source: proc_net_tcp of the kernel's documentation, proc_pid_net(5).
 */
const listening = '0A';
const noPeer = /^0+:0000$/;
/** The largest UDP port that counts; above it are the ports of requests to others, which come and go. */
const udpPortMax = 32767;
/** The suffix of a socket that has another name after each start: `cgisock.4711`. */
const ofProcess = /\.\d+$/;

/** Parses the table. `udp` has no listening state: a socket without a peer counts. */
export function parseInet(
  protocol: 'tcp' | 'tcp6' | 'udp' | 'udp6',
  text: string,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const row of text.split('\n').slice(1)) {
    const [, local = '', peer = '', state, , , , , , inode] = row.trim().split(/\s+/);
    const port = parseInt(local.slice(local.indexOf(':') + 1), 16);
    const waits = protocol.startsWith('tcp')
      ? state === listening
      : noPeer.test(peer) && port <= udpPortMax;
    if (waits && inode !== undefined) found.set(inode, `${protocol} ${local}`);
  }
  return found;
}

/**
 * Parses lines such as `0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/x.sock`: listen(2) sets the
 * flag.
 */
export function parseUnix(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const row of text.split('\n').slice(1)) {
    const [, , , flags, , , inode, path] = row.trim().split(/\s+/);
    if (flags !== '00010000' || inode === undefined || path?.startsWith('/') !== true) continue;
    if (!ofProcess.test(path)) found.set(inode, `unix ${path}`);
  }
  return found;
}

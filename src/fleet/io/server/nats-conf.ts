/** The configuration of one of a fleet's servers. */
import { messageBytesMax, storeBytesMax } from '../../core/subjects.ts';
import type { SignedAccounts } from './accounts.ts';

/** A server, and the places where it finds its files. */
export interface ServerPlace {
  /** The name among the servers. */
  readonly name: string;
  /** The DNS name, which its certificate has. */
  readonly address: string;
  /** The IP address to listen on. */
  readonly listen: string;
  readonly port: number;
  /** The port on which the servers talk to each other. */
  readonly clusterPort: number;
  /** The port on the loopback that tells of its health. */
  readonly monitorPort: number;
  /** The directory with `ca.pem` and `tls.pem`. */
  readonly files: string;
  /** The file of the private key. */
  readonly keyFile: string;
  /** The directory to which it writes. */
  readonly data: string;
}

/** Returns the text of nats.conf. It has no secrets. */
export function natsConf(
  fleet: string,
  server: ServerPlace,
  all: readonly ServerPlace[],
  { operator, accounts, systemAccount }: SignedAccounts,
): string {
  const { name, listen, port, monitorPort, data } = server;
  const preload = Object.entries(accounts).map(([key, jwt]) => `  ${key}: ${jwt}`);
  return `# Written by "bulkhead fleet server init".
server_name: ${quoted(name)}
listen: ${quoted(`${listen}:${port}`)}
http: ${quoted(`127.0.0.1:${monitorPort}`)}
max_payload: ${messageBytesMax}
max_control_line: 4096
max_connections: ${connectionsMax}
write_deadline: "10s"
# TLS before anything else: what a server says in plain text could tell a client to do without.
tls {
${tlsLines(server)}
  handshake_first: true
}
authorization { timeout: ${handshakeSeconds} }
jetstream {
  store_dir: ${quoted(storeOf(data, all.length))}
  max_file_store: ${storeBytesMax}
  max_memory_store: 64MB
}
${all.length === 1 ? '' : clusterText(fleet, server, all)}operator: ${operator}
system_account: ${systemAccount}
# Accounts that were sent to a server count until newer ones are sent; those below only for a server without any.
resolver {
  type: full
  dir: ${quoted(`${data}/accounts`)}
  allow_delete: false
  interval: "2m"
  timeout: "2s"
}
resolver_preload {
${preload.join('\n')}
}
`;
}

/**
 * Servers of a cluster make no use of what one of them has stored alone, and copies of it that are left over can keep the
 * cluster's streams from becoming whole: so it is elsewhere.
 */
const storeOf = (data: string, servers: number) =>
  servers === 1 ? `${data}/jetstream` : `${data}/cluster`;

const connectionsMax = 65_536;
const handshakeSeconds = 20;

const tlsLines = ({ files, keyFile }: ServerPlace) =>
  [
    `  cert_file: ${quoted(`${files}/tls.pem`)}`,
    `  key_file: ${quoted(keyFile)}`,
    `  timeout: ${handshakeSeconds}`,
  ].join('\n');

/**
 * Servers know each other by certificates, which nobody else has. Each lists itself, too: servers expect as many members
 * of the group that places streams as they have routes, and with two it was often founded without the third.
 */
const clusterText = (fleet: string, server: ServerPlace, all: readonly ServerPlace[]) => `cluster {
  name: ${quoted(fleet)}
  listen: ${quoted(`${server.listen}:${server.clusterPort}`)}
  no_advertise: true
  # One connection to each other server: of several, duplicates are closed, and a server that came back was not heard.
  pool_size: -1
  tls {
${tlsLines(server).replace(/^/gm, '  ')}
    ca_file: ${quoted(`${server.files}/ca.pem`)}
    verify: true
  }
  routes: [
${all.map(({ address, clusterPort }) => `    ${quoted(`nats-route://${address}:${clusterPort}`)}`).join('\n')}
  ]
}
`;

const quoted = (text: string) => JSON.stringify(text);

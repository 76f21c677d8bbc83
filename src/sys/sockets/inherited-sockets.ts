/**
 * The sockets that a service manager listens on for us, so that nobody takes their ports while this
 * process is down. They are `$LISTEN_FDS` descriptors from 3 on, if `$LISTEN_PID` is ours.
 *
 * They stay open as long as this process runs; listeners take a copy.
 * Source: sd_listen_fds(3).
 */
import { closeOnExec, duplicateDescriptor } from '../syscalls.ts';
import { readSocketOption, socketAddress } from './socket-calls.ts';

export interface InheritedSocket {
  readonly host: string;
  readonly port: number;
  /** Returns a duplicate descriptor; undefined if none is available. */
  readonly copy: () => number | undefined;
}

const first = 3;
const socketsMax = 64;
const variables = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID'];

export const inheritedSockets = (environment: NodeJS.ProcessEnv): readonly InheritedSocket[] =>
  inheritedListeners(environment).tcp;

export interface InheritedListeners {
  /** The only unix socket; undefined if there is none, or more. */
  readonly unix: number | undefined;
  readonly tcp: readonly InheritedSocket[];
}

/** Returns the sockets on which a service manager listens for us. A second call finds none. */
export function inheritedListeners(environment: NodeJS.ProcessEnv): InheritedListeners {
  const all = inheritedDescriptors(environment);
  const [unix, ...others] = all.filter(isUnixListener);
  const tcp = all.flatMap((fd) => {
    const address = listensOn(fd);
    return address === undefined ? [] : [{ ...address, copy: () => copyOf(fd) }];
  });
  return { unix: others.length === 0 ? unix : undefined, tcp };
}

function inheritedDescriptors(environment: NodeJS.ProcessEnv): readonly number[] {
  const isOurs = environment['LISTEN_PID'] === String(process.pid);
  const count = isOurs ? Number(environment['LISTEN_FDS']) : 0;
  // Children must not take them for their own.
  for (const name of variables) delete environment[name];
  if (!Number.isInteger(count) || count < 1 || count > socketsMax) return [];
  const found = Array.from({ length: count }, (_, index) => first + index);
  for (const fd of found) void closeOnExec(fd);
  return found;
}

function copyOf(fd: number): number | undefined {
  const copy = duplicateDescriptor(fd);
  return 'fd' in copy ? copy.fd : undefined;
}

const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SOCK_STREAM = 1;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;

/** Returns the address of a listening TCP socket; undefined for any other descriptor. */
function listensOn(fd: number): { readonly host: string; readonly port: number } | undefined {
  const address = addressOf(fd, 28);
  if (address === undefined) return undefined;
  const port = address.readUInt16BE(2);
  const family = address.readUInt16LE(0);
  if (family === AF_INET) return { host: address.subarray(4, 8).join('.'), port };
  if (family !== AF_INET6) return undefined;
  const groups = Array.from({ length: 8 }, (_, index) => address.readUInt16BE(8 + 2 * index));
  const text = groups.map((group) => group.toString(16)).join(':');
  return { host: new URL(`http://[${text}]`).hostname.slice(1, -1), port };
}

const isUnixListener = (fd: number): boolean => addressOf(fd, 110)?.readUInt16LE(0) === AF_UNIX;

/** Returns the sockaddr of a listening stream socket; undefined for any other descriptor. */
function addressOf(fd: number, bytes: number): Buffer | undefined {
  if (option(fd, SO_ACCEPTCONN) !== 1 || option(fd, SO_TYPE) !== SOCK_STREAM) return undefined;
  const address = Buffer.alloc(bytes);
  return socketAddress(fd, address) === undefined ? address : undefined;
}

function option(fd: number, name: number): number | undefined {
  const value = new Int32Array(1);
  return readSocketOption(fd, SOL_SOCKET, name, value) === value.byteLength ? value[0] : undefined;
}

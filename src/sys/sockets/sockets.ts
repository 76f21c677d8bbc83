/** Socket functions that Node lacks: datagrams to a path, and the uid of the other end. */
import { closeSync } from 'node:fs';
import { setThreadUids, type OpenedFd } from '../syscalls.ts';
import { bindSocket, connectSocket, openSocket, readSocketOption, sendTo } from './socket-calls.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
/** The reader may be slow, and we do not wait for it. */
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** sun_path, with its ending zero. Source: unix(7). */
const pathBytesMax = 107;

/** Returns a sockaddr_un; undefined if the path is too long. */
function unixAddress(address: string): Buffer | undefined {
  const path = Buffer.from(address.replace(/^@/, '\0'));
  if (path.length > pathBytesMax) return undefined;
  const target = Buffer.alloc(2 + path.length + (path[0] === 0 ? 0 : 1));
  target.writeUInt16LE(AF_UNIX, 0);
  path.copy(target, 2);
  return target;
}

/** Opens a datagram socket to `address`: a path, or `@NAME` in the abstract namespace. */
export function sendDatagram(
  address: string,
): { readonly fd: number; readonly send: (text: string) => void } | undefined {
  const target = unixAddress(address);
  if (target === undefined) return undefined;
  const opened = openSocket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if ('error' in opened) return undefined;
  const { fd } = opened;
  return { fd, send: (text) => void sendTo(fd, Buffer.from(text), target) };
}

/** Opens a socket that receives datagrams sent to `path`, which must not exist yet. */
export const datagramSocketAt = (path: string): OpenedFd => attach(SOCK_DGRAM, path, bindSocket);

/** Opens a stream to `address`. Its reader and writer wait themselves, for as long as they want. */
export const connectStream = (address: string): OpenedFd =>
  attach(SOCK_STREAM, address, connectSocket);

/** An argument of setresuid(2) that leaves the uid as it is. */
const sameUid = 0xffffffff;

/**
 * Opens a stream likewise, for whose listener the other end is an account of that uid. Needs root. Only this thread is that
 * account, and only until the call returns: the kernel notes the uid when it connects.
 */
export function connectStreamAs(uid: number, address: string): OpenedFd {
  const failed = setThreadUids(sameUid, uid, sameUid);
  if (failed !== undefined) return { error: failed };
  try {
    return connectStream(address);
  } finally {
    const stuck = setThreadUids(sameUid, 0, sameUid);
    // A root process must not go on as somebody else.
    if (stuck !== undefined) process.abort();
  }
}

function attach(type: number, address: string, call: typeof connectSocket): OpenedFd {
  const target = unixAddress(address);
  if (target === undefined) return { error: 'ENAMETOOLONG' };
  const opened = openSocket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if ('error' in opened) return opened;
  const error = call(opened.fd, target);
  if (error === undefined) return opened;
  closeSync(opened.fd);
  return { error };
}

/** Returns the uid of the process at the other end of a connected unix socket. Source: unix(7). */
export const peerUid = (fd: number): number | undefined => peerOf(fd)?.uid;

/**
 * Returns the pid of the process at the other end of a connected unix socket. For the end of a client it is the process
 * that called listen(2), which can be systemd. Undefined for a process of another pid namespace. Source: unix(7).
 */
export function peerPid(fd: number): number | undefined {
  const pid = peerOf(fd)?.pid ?? 0;
  return pid === 0 ? undefined : pid;
}

function peerOf(fd: number): { readonly pid: number; readonly uid: number } | undefined {
  /** struct ucred: pid, uid, gid. */
  const credentials = new Uint32Array(3);
  const length = readSocketOption(fd, SOL_SOCKET, SO_PEERCRED, credentials);
  const [pid = 0, uid = 0] = credentials;
  return length === credentials.byteLength ? { pid, uid } : undefined;
}

/**
 * The clients of a unix socket, by the kernel's list of all unix sockets.
 *
 * A request is a struct unix_diag_req behind the header; each answer a struct unix_diag_msg with attributes:
 *
 *     0  u32 length, u16 type, u16 flags, u32 sequence, u32 port      struct nlmsghdr
 *     16 u8 family, u8 type, u8 state, u8 padding, u32 inode, u32 cookie[2]
 *     32 u16 length, u16 kind, value, padded to 4 bytes               UNIX_DIAG_NAME, _VFS, _PEER, _UID
 *
 * The server's end of a connection has the name of the socket on which it was accepted, and the client's inode as its
 * peer; the client's end has its account (Linux 5.3). Numbers are in the byte order of the machine. Source: sock_diag(7), linux/unix_diag.h.
 */
import { closeSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf, errnoCause, errnoName } from '../../../packages/base/io/errno.ts';
import { openSocket, receiveFrom, sendTo } from './socket-calls.ts';

const AF_NETLINK = 16;
const AF_UNIX = 1;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST_DUMP = 0x301;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const show = { name: 1, vfs: 2, peer: 4, uid: 64 };
const attribute = { name: 0, vfs: 1, peer: 2, uid: 7 };
const TCP_ESTABLISHED = 1;
const allStates = 0xffffffff;
const { EAGAIN, EINTR } = constants.errno;

const headerBytes = 16;
const messageBytes = 32;
const bufferBytes = 256 * 1024;
/** More sockets than a host has. */
const messagesMax = 1_000_000;

/** A socket's file, as the kernel lists it. */
interface SocketFile {
  readonly path: string;
  readonly inode: number;
  /** The device in the kernel's own encoding. */
  readonly device: number;
}

/** The uid of the account that made each client's socket, by its inode: `/proc/PID/fd` has `socket:[INODE]`. */
export type SocketClients = ReadonlyMap<number, number | undefined>;

/** Lists the sockets of the clients. An older kernel tells no uid. */
export function clientsOfSocket(path: string): Result<SocketClients, Problem> {
  const cannot = (cause: Cause) =>
    failed({ ...cause, action: 'list the clients of', object: path });
  let server: SocketFile;
  try {
    const { ino, dev } = statSync(path);
    server = { path, inode: ino, device: kernelDevice(dev) };
  } catch (error) {
    return cannot(causeOf(error));
  }
  const opened = openSocket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if ('error' in opened) return cannot(errnoCause(opened.error));
  try {
    const kernel = Buffer.alloc(12);
    kernel.writeUInt16LE(AF_NETLINK, 0);
    const error = sendTo(opened.fd, request(), kernel);
    if (error !== undefined) return cannot(errnoCause(error));
    const found = receiveAll(opened.fd, server);
    return found.ok ? found : cannot(found.error);
  } finally {
    closeSync(opened.fd);
  }
}

function request(): Buffer {
  const message = Buffer.alloc(40);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(SOCK_DIAG_BY_FAMILY, 4);
  message.writeUInt16LE(NLM_F_REQUEST_DUMP, 6);
  message.writeUInt8(AF_UNIX, headerBytes);
  message.writeUInt32LE(allStates, headerBytes + 4);
  message.writeUInt32LE(show.name | show.vfs | show.peer | show.uid, headerBytes + 12);
  return message;
}

/** The kernel lists the next sockets whenever something is received, so there is no waiting. */
function receiveAll(fd: number, server: SocketFile): Result<SocketClients, Cause> {
  const buffer = Buffer.allocUnsafeSlow(bufferBytes);
  const sender = Buffer.alloc(12);
  const found: FoundSockets = { peers: new Set(), uids: new Map() };
  for (let received = 0; received < messagesMax; received++) {
    const length = receiveFrom(fd, buffer, sender);
    if (length === -EINTR) continue;
    if (length === -EAGAIN) return { ok: false, error: { reason: 'the kernel lists no sockets' } };
    if (length < 0) return { ok: false, error: errnoCause(errnoName(-length)) };
    const ended = readMessages(buffer.subarray(0, length), server, found);
    if (ended === 'done')
      return ok(new Map([...found.peers].map((inode) => [inode, found.uids.get(inode)])));
    if (ended !== undefined) return { ok: false, error: ended };
  }
  return { ok: false, error: { reason: 'there are too many sockets' } };
}

interface FoundSockets {
  readonly peers: Set<number>;
  /** The accounts of all unix sockets of the host. */
  readonly uids: Map<number, number>;
}

/** Adds the sockets in one datagram. Returns what ends the list: `done`, or why it is incomplete. */
export function readMessages(
  data: Buffer,
  server: SocketFile,
  { peers, uids }: FoundSockets,
): 'done' | Cause | undefined {
  for (let at = 0; at + headerBytes <= data.length;) {
    const length = data.readUInt32LE(at);
    const type = data.readUInt16LE(at + 4);
    if (length < headerBytes || at + length > data.length)
      return { reason: 'the kernel has cut its answer' };
    if (type === NLMSG_DONE) return 'done';
    if (type === NLMSG_ERROR) return errorOf(data.subarray(at, at + length));
    if (type === SOCK_DIAG_BY_FAMILY && length >= messageBytes) {
      const message = data.subarray(at, at + length);
      const { peer, uid } = readSocket(message, server);
      if (peer !== undefined) peers.add(peer);
      if (uid !== undefined) uids.set(message.readUInt32LE(20), uid);
    }
    at += aligned(length);
  }
  return undefined;
}

function errorOf(message: Buffer): Cause {
  const code = message.length >= headerBytes + 4 ? -message.readInt32LE(headerBytes) : 0;
  const cause = errnoCause(errnoName(code));
  return code === constants.errno.ENOENT
    ? { ...cause, hint: 'the kernel needs CONFIG_UNIX_DIAG (module "unix_diag")' }
    : cause;
}

interface Attributes {
  readonly peer?: number | undefined;
  readonly uid?: number | undefined;
}

/** Returns the client at the other end, if it is an end of the server's, and the account of the socket. */
function readSocket(message: Buffer, { path, inode, device }: SocketFile): Attributes {
  if (message.readUInt8(18) !== TCP_ESTABLISHED) return {};
  let isServers = false;
  let [peer, uid]: (number | undefined)[] = [];
  for (let at = messageBytes; at + 4 <= message.length;) {
    const length = message.readUInt16LE(at);
    if (length < 4 || at + length > message.length) return {};
    const value = message.subarray(at + 4, at + length);
    const kind = message.readUInt16LE(at + 2);
    // The name is what the server bound, which can be a relative path. The file is the same in each mount.
    if (kind === attribute.vfs && value.length >= 8)
      isServers ||= value.readUInt32LE(0) === inode % 2 ** 32 && value.readUInt32LE(4) === device;
    if (kind === attribute.name)
      isServers ||= value.toString('latin1').replace(/\0+$/, '') === path;
    if (kind === attribute.peer && value.length >= 4) peer = value.readUInt32LE(0);
    if (kind === attribute.uid && value.length >= 4) uid = value.readUInt32LE(0);
    at += aligned(length);
  }
  return { peer: isServers ? peer : undefined, uid };
}

/** Converts stat(2)'s encoding of 12 bits for the major number and 20 for the minor one. Source: linux/kdev_t.h. */
const kernelDevice = (device: number): number => {
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  return ((device >>> 8) & 0xfff) * 2 ** 20 + minor;
};

const aligned = (length: number) => (length + 3) & ~3;

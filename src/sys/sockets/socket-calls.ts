/**
 * System calls for sockets, by FFI: Node has no functions for most kinds of them. The caller says what an address is.
 *
 * Each is declared once here with its C prototype, as in `syscalls.ts`.
 */
import koffi from 'koffi';
import type { Errno } from '../../../packages/base/problem.ts';
import { errnoName } from '../../../packages/base/io/errno.ts';
import type { OpenedFd } from '../syscalls.ts';

const libc = koffi.load('libc.so.6');

const cSocket = libc.func('int socket(int domain, int type, int protocol)');
const cBind = libc.func('int bind(int fd, const void *address, uint32_t length)');
const cConnect = libc.func('int connect(int fd, const void *address, uint32_t length)');
const cListen = libc.func('int listen(int fd, int waiting)');
const cAccept = libc.func('int accept4(int fd, void *address, void *length, int flags)');
const cGetsockname = libc.func('int getsockname(int fd, void *address, void *length)');
const cSetsockopt = libc.func(
  'int setsockopt(int fd, int level, int name, const void *value, uint32_t length)',
);
const cGetsockopt = libc.func(
  'int getsockopt(int fd, int level, int name, void *value, void *length)',
);
const cSendto = libc.func(
  'long sendto(int fd, const void *buffer, size_t size, int flags, const void *address, uint32_t length)',
);
const cRecvfrom = libc.func(
  'long recvfrom(int fd, void *buffer, size_t size, int flags, void *address, void *length)',
);

export function openSocket(domain: number, type: number, protocol: number): OpenedFd {
  const fd = Number(cSocket(domain, type, protocol));
  return fd >= 0 ? { fd } : { error: errnoName(koffi.errno()) };
}

/** Binds a socket. `address` is a sockaddr of the socket's domain. */
export function bindSocket(fd: number, address: Uint8Array): Errno | undefined {
  return failed(cBind(fd, address, address.byteLength));
}

/** Connects, and waits until the other end accepts. Source: connect(2). */
export function connectSocket(fd: number, address: Uint8Array): Errno | undefined {
  return failed(cConnect(fd, address, address.byteLength));
}

/** Lets others connect; at most about `waiting` of them wait to be accepted. Source: listen(2). */
export function listenSocket(fd: number, waiting: number): Errno | undefined {
  return failed(cListen(fd, waiting));
}

const SOCK_CLOEXEC = 0o2000000;

/** Accepts a connection, and waits until there is one. Source: accept(2). */
export function acceptSocket(fd: number): OpenedFd {
  const accepted = Number(cAccept(fd, null, null, SOCK_CLOEXEC));
  return accepted >= 0 ? { fd: accepted } : { error: errnoName(koffi.errno()) };
}

/** Fills in the socket's address. Source: getsockname(2). */
export function socketAddress(fd: number, address: Uint8Array): Errno | undefined {
  return failed(cGetsockname(fd, address, Uint32Array.of(address.byteLength)));
}

export function setSocketOption(
  fd: number,
  level: number,
  name: number,
  value: number,
): Errno | undefined {
  return failed(cSetsockopt(fd, level, name, Int32Array.of(value), 4));
}

/** Fills in the value of an option. Returns its length in bytes, or the negative errno. Source: getsockopt(2). */
export function readSocketOption(
  fd: number,
  level: number,
  name: number,
  value: ArrayBufferView,
): number {
  const length = Uint32Array.of(value.byteLength);
  const answer = orErrno(cGetsockopt(fd, level, name, value, length));
  return answer < 0 ? answer : (length[0] ?? 0);
}

export function sendTo(fd: number, message: Uint8Array, address: Uint8Array): Errno | undefined {
  const sent = cSendto(fd, message, message.byteLength, 0, address, address.byteLength);
  return failed(Number(sent) < 0 ? -1 : 0);
}

const MSG_DONTWAIT = 0x40;
const addressLength = new Uint32Array(1);

/**
 * Receives one message without waiting, and fills in its sender. Returns its length in bytes, or the negative errno:
 * EAGAIN if there is none. Source: recv(2).
 */
export function receiveFrom(fd: number, buffer: Uint8Array, sender: Uint8Array): number {
  addressLength[0] = sender.byteLength;
  const flags = MSG_DONTWAIT;
  return orErrno(Number(cRecvfrom(fd, buffer, buffer.byteLength, flags, sender, addressLength)));
}

/**
 * Sends a message in another thread, since the kernel does what it asks for before it returns. Returns whether it took
 * the message.
 */
export const sendAside = (fd: number, message: Uint8Array, address: Uint8Array): Promise<boolean> =>
  new Promise((resolve) => {
    const done = (error: unknown, sent: unknown) => resolve(error === null && Number(sent) >= 0);
    const { byteLength } = address;
    cSendto.async(fd, message, message.byteLength, 0, address, byteLength, done);
  });

/**
 * Receives one message likewise. Returns its length in bytes; undefined if there is none, or an error: errno is of the
 * other thread.
 */
export const receiveAside = (fd: number, buffer: Uint8Array): Promise<number | undefined> =>
  new Promise((resolve) => {
    const done = (error: unknown, received: unknown) =>
      resolve(error === null && Number(received) >= 0 ? Number(received) : undefined);
    cRecvfrom.async(fd, buffer, buffer.byteLength, MSG_DONTWAIT, null, null, done);
  });

const orErrno = (answer: number) => (answer < 0 ? -koffi.errno() : answer);
const failed = (answer: number) => (answer < 0 ? errnoName(koffi.errno()) : undefined);

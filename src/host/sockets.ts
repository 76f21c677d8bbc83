/** What Node's sockets cannot do: datagrams to a path, and who is at the other end. By FFI. */
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const cSocket = libc.func('int socket(int domain, int type, int protocol)');
const cSendto = libc.func(
  'long sendto(int fd, const void *data, size_t length, int flags, const void *address, uint32_t size)',
);
const cGetsockopt = libc.func(
  'int getsockopt(int fd, int level, int name, void *value, void *length)',
);

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** sun_path, with its ending zero. Source: unix(7). */
const mostPathBytes = 107;

/** A socket for datagrams to `address`: a path, or `@NAME` in the abstract namespace. */
export function sendDatagram(
  address: string,
): { readonly fd: number; readonly send: (text: string) => void } | undefined {
  const path = Buffer.from(address.replace(/^@/, '\0'));
  if (path.length > mostPathBytes) return undefined;
  const fd = Number(cSocket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0));
  if (fd < 0) return undefined;
  const target = Buffer.alloc(2 + path.length + (path[0] === 0 ? 0 : 1));
  target.writeUInt16LE(AF_UNIX, 0);
  path.copy(target, 2);
  return {
    fd,
    send: (text) => {
      const data = Buffer.from(text);
      cSendto(fd, data, data.length, MSG_NOSIGNAL | MSG_DONTWAIT, target, target.length);
    },
  };
}

/** The uid of the process at the other end of a connected unix socket. Source: unix(7). */
export function peerUid(fd: number): number | undefined {
  const credentials = new Uint32Array(3);
  const length = new Uint32Array([credentials.byteLength]);
  if (cGetsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length) !== 0) return undefined;
  return length[0] === credentials.byteLength ? credentials[1] : undefined;
}

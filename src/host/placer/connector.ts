/**
 * The kernel's process connector: a netlink socket that reports which process changed its uid.
 *
 * One datagram contains one event, in the byte order of the machine:
 *
 *     0  struct nlmsghdr   16  struct cn_msg: idx, val, …   36  u32 what   40  u32 cpu
 *     44 u64 nanoseconds (CLOCK_MONOTONIC)   52 s32 pid   56 s32 tgid   60 u32 ruid   64 u32 euid
 *
 * The kernel does not respond if it will not report (another pid or user namespace, an old kernel without filters). So
 * `start` makes two changes itself and waits for their events.
 *
 * Sources: linux/cn_proc.h, linux/connector.h, netlink(7).
 */
import { closeSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { failed, type Errno, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { errnoCause } from '../../../packages/base/io/errno.ts';
import { poll, setFileUid } from '../../sys/syscalls.ts';
import {
  bindSocket,
  openSocket,
  receiveFrom,
  sendTo,
  setSocketOption,
  socketAddress,
} from '../../sys/sockets/socket-calls.ts';

const AF_NETLINK = 16;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_CONNECTOR = 11;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const NLMSG_DONE = 3;
/** Both the index and the value of the connector, and its multicast group. */
const CN_PROC = 1;
const PROC_CN_MCAST_LISTEN = 1;
const events = { uid: 0x4, comm: 0x200 };
const { ENOBUFS, EAGAIN, EINTR } = constants.errno;

export const POLLIN = 1;
const defaultReceiveBytes = 8 * 2 ** 20;

const messageBytes = 68;
const offsets = { index: 16, value: 20, what: 36, time: 44, tgid: 56, ruid: 60, euid: 64 };
/** How long the kernel may take to report our own change, which it does within the call. */
const probeMilliseconds = 500;
/** Used only as our own thread's fsuid, for a moment: nobody. */
const probeUid = 65_534;
const commName = 'bulkhead-placer';

/** `microseconds` on the monotonic clock. */
type OnChange = (pid: number, ruid: number, euid: number, microseconds: number) => void;
/**
 * `more`: there may be more to receive. `lost`: the kernel had to drop events. `deaf`: it did not report a
 * change of our own, so it no longer reports any.
 */
type Received = 'empty' | 'more' | 'lost' | 'deaf';

export class Connector implements Disposable {
  readonly fd: number;
  /** Uid changes that the kernel has reported. */
  events = 0;
  /** Messages sent by another process, which could contain anything. */
  foreign = 0;
  readonly #buffer = Buffer.alloc(4096);
  readonly #sender = Buffer.alloc(12);
  #seenComm = false;
  #seenUid = false;
  #probed = false;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Opens and binds the socket; the kernel reports nothing before `start`. */
  static open(receiveBytes: number = defaultReceiveBytes): Result<Connector, Problem> {
    const opened = openSocket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);
    if ('error' in opened) return fail(cannotListen(opened.error));
    const { fd } = opened;
    const option = receiveBytes < defaultReceiveBytes ? SO_RCVBUF : SO_RCVBUFFORCE;
    const error =
      setSocketOption(fd, SOL_SOCKET, option, receiveBytes) ?? bindSocket(fd, address(0, CN_PROC));
    if (error === undefined) return ok(new Connector(fd));
    closeSync(fd);
    return fail(cannotListen(error));
  }

  /** Subscribes; returns whether the kernel reports only uid changes (Linux 6.6), or all process events. */
  start(): Result<{ readonly filtered: boolean }, Problem> {
    for (const filtered of [true, false]) {
      const subscribed = this.#subscribe(filtered);
      if (!subscribed.ok) return fail(cannotListen(subscribed.error));
      if (!this.#reports()) continue;
      // On an old kernel, another program's subscription enables events for all; subscribe ourselves.
      if (filtered && this.#seenComm) continue;
      return ok({ filtered });
    }
    return failed({
      action: 'follow changes of uid',
      reason: 'the kernel reports nothing here',
      hint: 'it does so only in the first pid and user namespace of the host, with CONFIG_PROC_EVENTS',
    });
  }

  /** The socket's netlink port number, which others need to send to it. */
  get port(): number {
    const own = Buffer.alloc(12);
    return socketAddress(this.fd, own) === undefined ? own.readUInt32LE(4) : 0;
  }

  #subscribe(filtered: boolean): Result<void, Errno> {
    const payload = filtered ? 8 : 4;
    const message = Buffer.alloc(36 + payload);
    message.writeUInt32LE(message.length, 0);
    message.writeUInt16LE(NLMSG_DONE, 4);
    message.writeUInt32LE(CN_PROC, offsets.index);
    message.writeUInt32LE(CN_PROC, offsets.value);
    message.writeUInt16LE(payload, 32);
    message.writeUInt32LE(PROC_CN_MCAST_LISTEN, 36);
    if (filtered) message.writeUInt32LE(events.uid, 40);
    const error = sendTo(this.fd, message, address(0, 0));
    return error === undefined ? ok(undefined) : fail(error);
  }

  /** Makes a change of name, which a filter suppresses, then a change of uid. */
  #reports(): boolean {
    this.#seenComm = false;
    writeFileSync('/proc/self/comm', commName);
    this.probe();
    this.#probed = false;
    const until = performance.now() + probeMilliseconds;
    while (!this.#seenUid && performance.now() < until) {
      poll(Int32Array.of(this.fd, POLLIN), probeMilliseconds);
      this.receive(1_000, () => undefined);
    }
    return this.#seenUid;
  }

  /**
   * Changes our own fsuid for a moment, which the kernel reports within the call: `receive` returns `deaf` if
   * it did not. A wrong unsubscription by another program can disable events for all.
   */
  probe(): void {
    this.#seenUid = false;
    this.#probed = true;
    setFileUid(probeUid);
    setFileUid(0);
  }

  #ended(received: 'empty' | 'lost'): Received {
    const isDeaf = this.#probed && !this.#seenUid && received === 'empty';
    this.#probed = false;
    return isDeaf ? 'deaf' : received;
  }

  /** Takes at most `max` messages; never waits. */
  receive(max: number, each: OnChange): Received {
    for (let count = 0; count < max; count++) {
      const length = receiveFrom(this.fd, this.#buffer, this.#sender);
      if (length === -ENOBUFS) return this.#ended('lost');
      if (length === -EAGAIN) return this.#ended('empty');
      if (length === -EINTR) continue;
      if (length < 0) throw new Error(`Cannot receive from the process connector: ${length}`);
      this.#message(length, each);
    }
    return 'more';
  }

  #message(length: number, each: OnChange): void {
    const buffer = this.#buffer;
    if (this.#sender.readUInt32LE(4) !== 0) {
      this.foreign++;
      return;
    }
    if (length < messageBytes || buffer.readUInt32LE(offsets.index) !== CN_PROC) return;
    if (buffer.readUInt32LE(offsets.value) !== CN_PROC) return;
    const what = buffer.readUInt32LE(offsets.what);
    const pid = buffer.readInt32LE(offsets.tgid);
    if (what === events.comm && pid === process.pid) this.#seenComm = true;
    if (what !== events.uid) return;
    if (pid === process.pid) {
      this.#seenUid = true;
      return;
    }
    this.events++;
    const high = buffer.readUInt32LE(offsets.time + 4) * 2 ** 32;
    const microseconds = (high + buffer.readUInt32LE(offsets.time)) / 1_000;
    each(pid, buffer.readUInt32LE(offsets.ruid), buffer.readUInt32LE(offsets.euid), microseconds);
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

/** Builds a struct sockaddr_nl; port 0 is the kernel. */
export function address(port: number, groups: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16LE(AF_NETLINK, 0);
  bytes.writeUInt32LE(port, 4);
  bytes.writeUInt32LE(groups, 8);
  return bytes;
}

const hints: Readonly<Partial<Record<Errno, string>>> = {
  EPERM: 'it needs CAP_NET_ADMIN',
  EPROTONOSUPPORT: 'the kernel needs CONFIG_CONNECTOR and CONFIG_PROC_EVENTS',
};

function cannotListen(errno: Errno): Problem {
  const hint = hints[errno];
  const problem = { action: 'listen to the process connector', ...errnoCause(errno) };
  return hint === undefined ? problem : { ...problem, hint };
}

/**
 * Asks the kernel by netlink. Each call is made in another thread: the kernel lists devices only once it has a lock
 * that somebody else may have for long, and loads modules before it answers.
 *
 *     0  u32 length, u16 type, u16 flags, u32 sequence, u32 port     struct nlmsghdr
 *     16 the message; for NLMSG_ERROR i32 error (0: done), then the request's header, then attributes
 *
 * Source: netlink(7), linux/netlink.h.
 */
import { closeSync } from 'node:fs';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { errnoCause, errnoName } from '../../../packages/base/io/errno.ts';
import { openSocket, receiveAside, sendAside, setSocketOption } from './socket-calls.ts';
import { aligned, readAttributes, textIn } from '../../../packages/base/netlink-attributes.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
/** The list changed while it was made. */
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_DUMP = 0x300;
const NLMSGERR_ATTR_MSG = 1;

const headBytes = 16;
/** The error's number and the header of the request. */
const errorBytes = headBytes + 4 + headBytes;
const bufferBytes = 256 * 1024;
const triesMax = 5;

/** Flags of a change. Source: rtnetlink(7). */
export const create = 0x400;
/** Adds, with `create`, only where there is nothing yet. */
export const exclusive = 0x200;

/** The body of a message: what follows its header. */
export type Body = Uint8Array;

/** The bodies of all messages, or as many as may be listed. */
export interface Listed {
  readonly bodies: readonly Body[];
  readonly isComplete: boolean;
}

/** Lists what there is. A list that changed meanwhile is asked for again. */
export async function netlinkList(
  protocol: number,
  { type, body }: Request,
  bodiesMax: number,
): Promise<Result<Listed, Cause>> {
  for (let tries = 1; ; tries++) {
    const listed = await ask(protocol, NLM_F_DUMP, { type, body }, (fd) => listOnce(fd, bodiesMax));
    if (!listed.ok || listed.value !== 'changed') return listed as Result<Listed, Cause>;
    if (tries === triesMax) return fail({ reason: 'the kernel has no steady list of it' });
  }
}

/** Changes something. Returns why the kernel did not. */
export async function netlinkChange(
  protocol: number,
  flags: number,
  request: Request,
): Promise<Cause | undefined> {
  const answered = await ask(protocol, NLM_F_ACK | flags, request, acknowledged);
  return answered.ok ? undefined : answered.error;
}

export interface Request {
  readonly type: number;
  readonly body: Body;
}

/** Sends the request through a socket of its own, so that nothing of an earlier answer can come in between. */
async function ask<T>(
  protocol: number,
  flags: number,
  request: Request,
  receive: (fd: number) => Promise<Result<T, Cause>>,
): Promise<Result<T, Cause>> {
  const opened = openSocket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol);
  if ('error' in opened) return fail(errnoCause(opened.error));
  try {
    // An older kernel gives no reasons, and repeats the request in its answer.
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK])
      setSocketOption(opened.fd, SOL_NETLINK, option, 1);
    const sent = await sendAside(opened.fd, messageOf(flags, request), kernelAddress());
    return sent ? await receive(opened.fd) : fail(noAnswer);
  } finally {
    closeSync(opened.fd);
  }
}

function messageOf(flags: number, { type, body }: Request): Uint8Array {
  const message = Buffer.alloc(headBytes + body.length);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(type, 4);
  message.writeUInt16LE(NLM_F_REQUEST | flags, 6);
  message.set(body, headBytes);
  return message;
}

function kernelAddress(): Uint8Array {
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK, 0);
  return address;
}

async function acknowledged(fd: number): Promise<Result<undefined, Cause>> {
  const buffer = Buffer.allocUnsafeSlow(bufferBytes);
  for (;;) {
    const received = await receiveAside(fd, buffer);
    if (received === undefined) return fail(noAnswer);
    for (const message of messagesIn(buffer.subarray(0, received))) {
      if (message.type !== NLMSG_ERROR) continue;
      const error = errorOf(message.whole);
      return error === undefined ? ok(undefined) : fail(error);
    }
  }
}

async function listOnce(fd: number, bodiesMax: number): Promise<Result<Listed | 'changed', Cause>> {
  const buffer = Buffer.allocUnsafeSlow(bufferBytes);
  const bodies: Body[] = [];
  let changed = false;
  for (;;) {
    const received = await receiveAside(fd, buffer);
    if (received === undefined) return fail(noAnswer);
    for (const { type, flags, whole } of messagesIn(buffer.subarray(0, received))) {
      changed ||= (flags & NLM_F_DUMP_INTR) !== 0;
      const error = type === NLMSG_ERROR || type === NLMSG_DONE ? errorOf(whole) : undefined;
      if (error !== undefined) return fail(error);
      if (type === NLMSG_DONE) return ok(changed ? 'changed' : { bodies, isComplete: true });
      if (bodies.length === bodiesMax) return ok({ bodies, isComplete: false });
      bodies.push(Uint8Array.from(whole.subarray(headBytes)));
    }
  }
}

const noAnswer: Cause = { reason: 'the kernel does not answer' };

interface Message {
  readonly type: number;
  readonly flags: number;
  /** The message with its header. */
  readonly whole: Buffer;
}

/** The messages of a datagram, up to one that is cut. */
function messagesIn(data: Buffer): readonly Message[] {
  const found: Message[] = [];
  for (let at = 0; at + headBytes <= data.length;) {
    const length = data.readUInt32LE(at);
    if (length < headBytes || at + length > data.length) break;
    found.push({
      type: data.readUInt16LE(at + 4),
      flags: data.readUInt16LE(at + 6),
      whole: data.subarray(at, at + length),
    });
    at += aligned(length);
  }
  return found;
}

/** Returns the error with the kernel's own words, if it has any; undefined if it is none. */
function errorOf(message: Buffer): Cause | undefined {
  const code = message.length >= headBytes + 4 ? -message.readInt32LE(headBytes) : 0;
  if (code === 0) return undefined;
  const cause = errnoCause(errnoName(code));
  const words = textIn(readAttributes(message.subarray(errorBytes)), NLMSGERR_ATTR_MSG);
  return words === undefined ? cause : { ...cause, reason: `${cause.reason}: ${words}` };
}

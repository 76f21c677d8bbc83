/** A method call and its reply, shared by both clients. */
import type { Cause, Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { bodyOf, type Message, type MethodCall } from './message.ts';
import type { Value } from './value.ts';

export const systemBusSocket = '/run/dbus/system_bus_socket';

export interface BusCall extends MethodCall {
  /** The signature that the reply must have; the caller gets values of these types. */
  readonly returns: string;
  readonly timeoutMs?: number;
}

export interface CallProblem extends Problem {
  /** `org.freedesktop.systemd1.NoSuchUnit` if the other side refused; absent if it did not answer. */
  readonly errorName?: string;
}

export type BusReply = Result<readonly Value[], CallProblem>;

export const defaultTimeoutMs = 30_000;

/** The bus itself. */
export const daemon = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
};

export function replyOf(call: BusCall, message: Message): BusReply {
  const body = bodyOf(message);
  if (message.kind === 'error') {
    const [text] = body.ok ? body.value : [];
    const { errorName = 'an error without a name' } = message;
    const reason = typeof text === 'string' && text !== '' ? text : errorName;
    return callFailed(call, { reason: reason.replace(/\.$/, '') }, errorName);
  }
  if (!body.ok)
    return callFailed(call, { reason: `its reply cannot be read: ${body.error.reason}` });
  if (message.signature === call.returns) return body;
  return callFailed(call, { reason: `its reply is a "${message.signature}"` });
}

export const callFailed = (
  { member, path }: BusCall,
  cause: Cause,
  errorName?: string,
): BusReply => ({
  ok: false,
  error: {
    ...cause,
    action: `call ${member} of`,
    object: path,
    ...(errorName === undefined ? {} : { errorName }),
  },
});

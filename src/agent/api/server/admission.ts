/** Decides which clients may connect to a listener of the agent, and identifies the caller. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Caller } from '../caller.ts';

/** `visitor`: through the console, without a session. */
export type ConnectionIdentity = Caller | 'nobody' | 'visitor' | 'too many';

export interface Admission {
  readonly admit: (socket: Socket) => boolean;
  readonly identify: (request: IncomingMessage) => ConnectionIdentity;
}

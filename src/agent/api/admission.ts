/** Decides which clients may connect to a listener of the agent, and identifies the caller. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Caller } from './caller.ts';

export type ConnectionIdentity = Caller | 'nobody' | 'too many';

export interface Admission {
  readonly admit: (socket: Socket) => boolean;
  readonly identify: (request: IncomingMessage) => ConnectionIdentity;
}

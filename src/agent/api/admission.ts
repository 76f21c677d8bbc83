/** Who may connect to a door of the agent, and who it is that asks. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Caller } from './caller.ts';

export type Identity = Caller | 'nobody' | 'too many';

export interface Admission {
  readonly admit: (socket: Socket) => boolean;
  readonly identify: (request: IncomingMessage) => Identity;
}

/** Who may connect to a door of the agent, and who it is that asks. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Viewer } from './viewer.ts';

export type Identity = Viewer | 'nobody' | 'too many';

export interface Admission {
  readonly admit: (socket: Socket) => boolean;
  readonly identify: (request: IncomingMessage) => Identity;
}

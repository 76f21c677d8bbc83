/**
 * The front of the console as the agent's client. It is heard if it runs as root or as its own account, and that gives
 * it no rights: the token in a request has them, and a request without one is a visitor's.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { AccountNames } from '../../host/accounts/account-names.ts';
import { consoleAccount } from '../../host/paths.ts';
import { peerUid } from '../../sys/sockets/sockets.ts';
import type { Admission, ConnectionIdentity } from '../api/server/admission.ts';
import type { ConsoleAccess } from './console-access.ts';

const connectionsMax = 256;

export class ConsolePeers implements Admission {
  readonly #access: Pick<ConsoleAccess, 'callerOf'>;
  readonly #names: AccountNames;
  #open = 0;

  constructor(access: Pick<ConsoleAccess, 'callerOf'>, names: AccountNames) {
    this.#access = access;
    this.#names = names;
  }

  admit(socket: Socket): boolean {
    const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;
    const uid = fd < 0 ? undefined : peerUid(fd);
    if (uid === undefined || this.#open >= connectionsMax) return false;
    if (uid !== 0 && !this.#names.namesOf(uid).includes(consoleAccount)) return false;
    this.#open++;
    socket.once('close', () => this.#open--);
    return true;
  }

  identify({ headers, url = '' }: IncomingMessage): ConnectionIdentity {
    const [, token = ''] = /^Bearer (\S+)$/.exec(headers.authorization ?? '') ?? [];
    return this.#access.callerOf(token, !isPassive(url)) ?? 'visitor';
  }
}

/** Whether a page asks this without anybody doing anything. */
const isPassive = (url: string) => /^\/v1\/console\/(?:frame|session)(?:\?|$)/.test(url);

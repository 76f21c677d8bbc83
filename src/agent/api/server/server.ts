/**
 * The server of the API: HTTP on a unix socket, where the kernel identifies the peer, and on TCP
 * addresses of this host for clients that send the administrator's token.
 *
 * Everything is bounded: connections (peers.ts, token-bearers.ts), one request each and its time
 * (connection.ts), headers. No request has a body, so one that announces a body is refused and its
 * connection closed without reading it.
 */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { failed, type Cause, type Problem } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { errorBody } from '../error-body.ts';
import type { Admission } from './admission.ts';
import { Connection } from './connection.ts';
import { PeerConnections, Peers, type PeerKind } from './peers.ts';
import { jailSocketName } from '../../../host/paths.ts';
import type { Api } from '../routes.ts';
import { takesBody } from '../request-body.ts';
import { TokenBearers } from './token-bearers.ts';
import type { Caller } from '../caller.ts';
import type { HttpError } from '../http-result.ts';

/** An address, or a socket that is already listening; it is closed with the server. */
export type ListenTarget =
  | { readonly host: string; readonly port: number }
  | { readonly fd: number };

/** Idle timeout, also while a response is not read; longer than a query of the history may take. */
const idleMilliseconds = 60_000;
const headerBytesMax = 16 * 1024;
const socketBacklog = 1024;
const tcpBacklog = 128;

export class ControlServer implements AsyncDisposable {
  readonly #cleanup = new AsyncDisposableStack();
  readonly #connections = new WeakMap<Duplex, Connection>();
  readonly #callers = new WeakMap<IncomingMessage, Caller>();
  readonly #visitors = new WeakSet<IncomingMessage>();
  readonly #peers = new PeerConnections();
  readonly #respond: (request: IncomingMessage, response: ServerResponse) => unknown;

  constructor(api: Api) {
    this.#respond = getRequestListener(
      (request, env) => {
        const { incoming } = env as { incoming: IncomingMessage };
        const isVisitor = this.#visitors.has(incoming);
        return api.fetch(request, { caller: this.#callers.get(incoming), isVisitor });
      },
      { overrideGlobalObjects: false },
    );
  }

  /**
   * Listens on a unix socket. Every account may connect; its uid decides what it sees. Callers of a socket for jails are
   * `jailed`.
   */
  listenOnSocket(path: string, kind: PeerKind = 'uid'): Promise<Result<void, Problem>> {
    return this.listenFor(new Peers(kind, this.#peers), path);
  }

  /** Listens on a unix socket to which every account may connect; `admission` decides who is heard. */
  async listenFor(admission: Admission, path: string): Promise<Result<void, Problem>> {
    try {
      rmSync(path, { force: true });
      const listens = await listening(this.#server(admission), { path, backlog: socketBacklog });
      if (!listens.ok) return failed({ action: 'listen on', object: path, ...listens.error });
      chmodSync(path, 0o666);
      return listens;
    } catch (error) {
      return failed({ action: 'listen on', object: path, ...causeOf(error) });
    }
  }

  /** Listens on the socket that jails contain. Its directory is mounted there, so one that exists is kept. */
  async listenForJails(directory: string): Promise<Result<void, Problem>> {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o755 });
      chmodSync(directory, 0o755); // whatever the umask is
    } catch (error) {
      return failed({ action: 'make the directory', object: directory, ...causeOf(error) });
    }
    return this.listenOnSocket(`${directory}/${jailSocketName}`, 'jailed');
  }

  /** Listens on a TCP address; may be called for several. */
  async listenOnTcp(place: ListenTarget, token: string): Promise<Result<void, Cause>> {
    const admission = this.#cleanup.use(new TokenBearers(token));
    return listening(this.#server(admission), { ...place, backlog: tcpBacklog });
  }

  #server(admission: Admission): Server {
    const server = createServer({ maxHeaderSize: headerBytesMax });
    server.timeout = idleMilliseconds;
    server.on('timeout', (socket: Socket) => socket.destroy());
    server.on('connection', (socket: Socket) => {
      if (admission.admit(socket)) this.#connections.set(socket, new Connection(socket));
      else socket.destroy();
    });
    const answer = (request: IncomingMessage, response: ServerResponse) =>
      this.#answer(request, response, admission);
    server.on('request', answer);
    // Without these two handlers Node.js would ask for the body, or respond and read it.
    server.on('checkContinue', answer);
    server.on('checkExpectation', answer);
    server.on('clientError', (error, socket) => this.#refuse(error, socket));
    this.#cleanup.defer(() => closed(server));
    return server;
  }

  #answer(request: IncomingMessage, response: ServerResponse, admission: Admission): void {
    const { socket } = request;
    if (this.#connections.get(socket)?.ask() !== true) {
      socket.destroy();
      return;
    }
    response.shouldKeepAlive = false;
    if (hasBody(request) && !takesBody(request.method, request.url)) {
      end(socket, response, withBody);
      return;
    }
    const identity = admission.identify(request);
    if (identity === 'too many') {
      end(socket, response, tooMany);
      return;
    }
    if (request.headers.expect !== undefined && hasBody(request)) response.writeContinue();
    if (identity === 'visitor') this.#visitors.add(request);
    else if (identity !== 'nobody') this.#callers.set(request, identity);
    void this.#respond(request, response);
  }

  /** Refuses input that is not HTTP, or whose header is too large. */
  #refuse(error: Error, socket: Duplex): void {
    const status = codeOf(error) === 'HPE_HEADER_OVERFLOW' ? '431 Too Long' : '400 Bad Request';
    if (!socket.writable || this.#connections.get(socket)?.hasAsked === true) socket.destroy();
    else socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`, () => socket.destroy());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0;
}

const withBody: HttpError = {
  status: 413,
  action: 'answer the request',
  reason: 'it has a body, and this request takes none',
  hint: 'send none',
};

const tooMany: HttpError = {
  status: 503,
  action: 'answer the request',
  reason: 'too many requests are in progress',
  hint: 'retry later',
};

/** Sends a short response and closes the connection once it is written. */
function end(socket: Socket, response: ServerResponse, error: HttpError): void {
  const text = JSON.stringify(errorBody(error));
  response.writeHead(error.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text, () => socket.destroy());
}

function listening(
  server: Server,
  where: (ListenTarget | { readonly path: string }) & { readonly backlog: number },
): Promise<Result<void, Cause>> {
  return new Promise((resolve) => {
    const refused = (error: Error) => resolve(fail(causeOf(error)));
    server.once('error', refused);
    server.listen(where, () => {
      server.off('error', refused);
      // Such as too many open files: connections wait until descriptors are free again.
      server.on('error', () => {});
      resolve(ok(undefined));
    });
  });
}

/** Returns the error's code, including Node's own codes for errors that are not the system's. */
const codeOf = (error: Error) => (error as NodeJS.ErrnoException).code;

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close((error) => {
      if (error !== undefined && codeOf(error) !== 'ERR_SERVER_NOT_RUNNING') throw error;
      resolve();
    });
    server.closeAllConnections();
  });
}

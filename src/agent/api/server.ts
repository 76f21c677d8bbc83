/**
 * The server of the API: HTTP on a unix socket, where the kernel identifies the peer, and on TCP
 * addresses of this host for clients that send the administrator's token.
 *
 * Everything is bounded: connections (peers.ts, token-bearers.ts), one request each and its time
 * (connection.ts), headers. No request has a body, so one that announces a body is refused and its
 * connection closed without reading it.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import type { Admission } from './admission.ts';
import { Connection } from './connection.ts';
import { Peers } from './peers.ts';
import type { Api } from './routes.ts';
import { TokenBearers } from './token-bearers.ts';
import type { Caller } from './caller.ts';

/** An address, or a socket that is already listening; it is closed with the server. */
export type ListenTarget =
  { readonly host: string; readonly port: number } | { readonly fd: number };

/** Idle timeout, also while a response is not read; longer than a query of the history may take. */
const idleMilliseconds = 60_000;
const headerBytesMax = 16 * 1024;
const socketBacklog = 1024;
const tcpBacklog = 128;

export class ControlServer implements AsyncDisposable {
  readonly #cleanup = new AsyncDisposableStack();
  readonly #connections = new WeakMap<Duplex, Connection>();
  readonly #callers = new WeakMap<IncomingMessage, Caller>();
  readonly #respond: (request: IncomingMessage, response: ServerResponse) => unknown;

  constructor(api: Api) {
    this.#respond = getRequestListener(
      (request, env) => {
        const { incoming } = env as { incoming: IncomingMessage };
        return api.fetch(request, { caller: this.#callers.get(incoming) });
      },
      { overrideGlobalObjects: false },
    );
  }

  /** Every account may connect; what it sees depends on its uid. */
  async listenOnSocket(path: string): Promise<void> {
    rmSync(path, { force: true });
    await listening(this.#server(new Peers()), { path, backlog: socketBacklog });
    chmodSync(path, 0o666);
  }

  /** May be called for several addresses. */
  async listenOnTcp(place: ListenTarget, token: string): Promise<void> {
    const admission = this.#cleanup.use(new TokenBearers(token));
    await listening(this.#server(admission), { ...place, backlog: tcpBacklog });
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
    if (hasBody(request)) {
      end(socket, response, 413, 'No request takes a body');
      return;
    }
    const identity = admission.identify(request);
    if (identity === 'too many') {
      end(socket, response, 503, 'Too many requests are in progress; retry later');
      return;
    }
    if (identity !== 'nobody') this.#callers.set(request, identity);
    void this.#respond(request, response);
  }

  /** The input is not HTTP, or its header is too large. */
  #refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Too Long' : '400 Bad Request';
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

/** Sends a short response and closes the connection once it is written. */
function end(socket: Socket, response: ServerResponse, status: number, error: string): void {
  const text = JSON.stringify({ error });
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text, () => socket.destroy());
}

function listening(
  server: Server,
  where: (ListenTarget | { readonly path: string }) & { readonly backlog: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      // Such as too many open files: connections wait until descriptors are free again.
      server.on('error', () => {});
      resolve();
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close((error?: NodeJS.ErrnoException) => {
      if (error !== undefined && error.code !== 'ERR_SERVER_NOT_RUNNING') throw error;
      resolve();
    });
    server.closeAllConnections();
  });
}

/**
 * The door to the agent: HTTP on a unix socket, where the kernel says who is at the other end, and
 * on a TCP address of this host for those who send the administrator's token.
 *
 * Everything is bounded: connections in all and per uid, the time a request and an answer may take,
 * headers, bodies (none is read). A tenant that opens what it can get never keeps root out.
 */
import { timingSafeEqual, createHash } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { peerUid } from '../host/sockets.ts';
import { errnoOf } from '../host/errno.ts';
import type { Api } from './routes.ts';
import type { Viewer } from './viewer.ts';

const mostConnections = 512;
/** Kept for root when tenants have taken the rest. */
const keptForRoot = 128;
const mostPerUid = 16;
const requestMilliseconds = 10_000;
/** Of silence, also while an answer is not taken; longer than a look into history may last. */
const idleMilliseconds = 40_000;
const backlog = 1024;

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

export class ControlServer implements AsyncDisposable {
  readonly #servers: Server[] = [];
  readonly #api: Api;
  readonly #connections = new Map<number, number>();
  #open = 0;

  constructor(api: Api) {
    this.#api = api;
  }

  /** For everybody of this host; what they see depends on who they are. */
  async listenOnSocket(path: string): Promise<void> {
    rmSync(path, { force: true });
    const viewers = new WeakMap<Socket, Viewer>();
    const server = this.#server((request) => viewers.get(request.socket));
    server.on('connection', (socket: Socket) => {
      const uid = this.#admit(socket);
      if (uid !== undefined) viewers.set(socket, { kind: 'uid', uid });
    });
    await listening(server, { path, backlog });
    chmodSync(path, 0o666);
  }

  /** `token` is compared in constant time. */
  async listenOnTcp(host: string, port: number, token: string): Promise<void> {
    const expected = digest(`Bearer ${token}`);
    const server = this.#server((request) => {
      const given = digest(request.headers.authorization ?? '');
      return timingSafeEqual(given, expected) ? { kind: 'token' } : undefined;
    });
    server.maxConnections = keptForRoot;
    await listening(server, { host, port });
  }

  /** The uid at the other end, once there is room for it. */
  #admit(socket: Socket): number | undefined {
    const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;
    const uid = fd < 0 ? undefined : peerUid(fd);
    if (uid === undefined || !this.#hasRoom(uid)) {
      socket.destroy();
      return undefined;
    }
    this.#open++;
    this.#connections.set(uid, (this.#connections.get(uid) ?? 0) + 1);
    socket.once('close', () => this.#leave(uid));
    return uid;
  }

  #hasRoom(uid: number): boolean {
    if (uid === 0) return this.#open < mostConnections;
    if ((this.#connections.get(uid) ?? 0) >= mostPerUid) return false;
    return this.#open < mostConnections - keptForRoot;
  }

  #leave(uid: number): void {
    this.#open--;
    const left = (this.#connections.get(uid) ?? 1) - 1;
    if (left === 0) this.#connections.delete(uid);
    else this.#connections.set(uid, left);
  }

  #server(viewerOf: (request: IncomingMessage) => Viewer | undefined): Server {
    const listener = this.#listener(viewerOf);
    const server = createServer(
      { maxHeaderSize: 16 * 1024, requestTimeout: requestMilliseconds },
      listener,
    );
    server.headersTimeout = requestMilliseconds;
    server.keepAliveTimeout = 2000;
    server.timeout = idleMilliseconds;
    server.on('timeout', (socket: Socket) => socket.destroy());
    server.on('clientError', refuse);
    this.#servers.push(server);
    return server;
  }

  #listener(viewerOf: (request: IncomingMessage) => Viewer | undefined): Listener {
    const listener = getRequestListener(
      (request, env) => {
        const { incoming } = env as { incoming: IncomingMessage };
        return this.#api.fetch(request, { viewer: viewerOf(incoming) });
      },
      { overrideGlobalObjects: false },
    );
    return (request, response) => void listener(request, response);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map(closed));
  }
}

/** What is no HTTP, or has more head than is read. */
function refuse(error: Error, socket: Duplex): void {
  const status = errnoOf(error) === 'HPE_HEADER_OVERFLOW' ? '431 Too Long' : '400 Bad Request';
  if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
  else socket.destroy();
}

const digest = (text: string) => createHash('sha256').update(text).digest();

function listening(
  server: Server,
  where: { path: string; backlog: number } | { host: string; port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      // Such as too many open files: connections wait until there are some again.
      server.on('error', () => {});
      resolve();
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close((error) => {
      if (error !== undefined && errnoOf(error) !== 'ERR_SERVER_NOT_RUNNING') throw error;
      resolve();
    });
    server.closeAllConnections();
  });
}

/**
 * The console on the network: TLS with HTTP/2 or HTTP/1.1, on sockets that a service manager holds. Without a certificate
 * it closes every connection.
 *
 * Clients have no uid here, so their addresses share out the connections; for IPv6, the network of 64 bits.
 */
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { causeOf } from '../../../packages/base/io/errno.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { CertificatePair } from './certificate.ts';
import { networkOf } from '../core/hosts.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const connectionsMax = 160;
const perNetworkMax = 32;
const headerBytesMax = 16 * 1024;
const headersMax = 64;
const streamsMax = 24;
const sessionMebibytesMax = 2;
const requestMilliseconds = 10_000;
const silentMilliseconds = 60_000;

export class TlsListener implements AsyncDisposable {
  readonly #secure: Http2SecureServer;
  readonly #listening: Server[] = [];
  readonly #open = new Map<Socket, string>();
  readonly #onChange: () => void;
  #hasCertificate = false;

  /** `onChange`: a connection has come or gone. */
  constructor(answer: Answer, onChange: () => void) {
    this.#onChange = onChange;
    this.#secure = makeServer(answer);
  }

  get connections(): number {
    return this.#open.size;
  }

  /** Takes over another certificate, for the next connections. */
  adopt(pair: CertificatePair | undefined): void {
    this.#hasCertificate = pair !== undefined;
    if (pair === undefined) for (const socket of this.#open.keys()) socket.destroy();
    else {
      const [cert, key] = [pair.certificate, pair.key];
      // It throws for what OpenSSL refuses; the one before then stays.
      createSecureContext({ cert, key });
      this.#secure.setSecureContext({ cert, key, minVersion: 'TLSv1.2' });
    }
  }

  /** Listens on a descriptor that already listens. */
  listen(fd: number): Promise<Result<void, Cause>> {
    const server = createServer((socket) => this.#admit(socket));
    this.#listening.push(server);
    return new Promise((resolve) => {
      const refused = (error: Error) => resolve(fail(causeOf(error)));
      server.once('error', refused);
      server.listen({ fd }, () => {
        server.off('error', refused);
        server.on('error', () => {});
        resolve(ok(undefined));
      });
    });
  }

  #admit(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    const network = networkOf(socket.remoteAddress ?? '', isIPv6(socket.remoteAddress ?? ''));
    const own = [...this.#open.values()].filter((each) => each === network).length;
    const isFull = this.#open.size >= connectionsMax || own >= perNetworkMax;
    if (!this.#hasCertificate || isFull) {
      socket.destroy();
      this.#onChange();
      return;
    }
    this.#open.set(socket, network);
    this.#onChange();
    socket.once('close', () => {
      this.#open.delete(socket);
      this.#onChange();
    });
    this.#secure.emit('connection', socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#listening) server.close();
    for (const socket of this.#open.keys()) socket.destroy();
  }
}

function makeServer(answer: Answer): Http2SecureServer {
  const http1 = { maxHeaderSize: headerBytesMax, connectionsCheckingInterval: 1000 };
  const server = createSecureServer({
    ...http1,
    allowHTTP1: true,
    handshakeTimeout: requestMilliseconds,
    maxHeaderListPairs: headersMax,
    maxSessionMemory: sessionMebibytesMax,
    settings: { maxConcurrentStreams: streamsMax, maxHeaderListSize: headerBytesMax },
  });
  Object.assign(server, {
    headersTimeout: requestMilliseconds,
    requestTimeout: requestMilliseconds,
    keepAliveTimeout: requestMilliseconds,
  });
  server.setTimeout(silentMilliseconds);
  server.on('timeout', (session: { readonly destroy: () => void }) => session.destroy());
  // Whoever speaks no TLS, or leaves.
  for (const event of ['tlsClientError', 'sessionError', 'clientError'] as const)
    server.on(event, (_error: Error, socket?: { readonly destroy: () => unknown }) =>
      socket?.destroy(),
    );
  const either = (request: unknown, response: unknown) =>
    // Node.js gives requests of HTTP/2 the same interface, with the differences of either-protocol.ts.
    answer(request as IncomingMessage, response as ServerResponse);
  for (const event of ['request', 'checkContinue', 'checkExpectation'] as const)
    server.on(event, either);
  return server;
}

/**
 * The front of the console: HTTP on a unix socket, for browsers behind a web server or an SSH tunnel. It serves the page's
 * files and passes questions on to the agent; it has no rights of its own.
 *
 * Everything is bounded: connections, headers, bodies, the time of each request and answer, streams.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIPv6, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { causeOf } from '../../../packages/base/io/errno.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { codeIn, exchangePath, judge, type Verdict } from '../core/guard.ts';
import { apiHeaders, commonHeaders, passedHeaders, type Headers } from '../core/headers.ts';
import { networkOf } from '../core/hosts.ts';
import { AgentLink, type AgentQuestion, type WholeAnswer } from './agent-link.ts';
import type { CertificatePair } from './certificate.ts';
import { acceptsGzip, Compression } from './compression.ts';
import { FrontConnections } from './connections.ts';
import { bodyOf, drop, isShared } from './either-protocol.ts';
import { sendFile, type ServedFiles } from './served-files.ts';
import { Streams } from './streams.ts';
import { TlsListener } from './tls-listener.ts';
import { UnknownSecrets } from './unknown-secrets.ts';

export interface FrontRules {
  /** The names by which browsers may call it. */
  readonly names: ReadonlySet<string>;
  /** The origins that may frame it. */
  readonly frameAncestors: readonly string[];
}

export interface FrontOptions extends FrontRules {
  readonly agentSocket: string;
  readonly files: ServedFiles;
  /** The time without a connection after which `onIdle` is called. */
  readonly idleMilliseconds?: number;
  readonly onIdle?: () => void;
}

/** The requests of one connection in progress; only a client that waits for no answer has more than one. */
const perConnectionMax = 4;
const headerBytesMax = 16 * 1024;
const requestMilliseconds = 10_000;
const silentMilliseconds = 60_000;
/** The time for a whole answer that is not a stream, however slowly it is read. */
const answerMilliseconds = 120_000;
const defaultIdleMilliseconds = 10 * 60_000;

export class Front implements AsyncDisposable {
  readonly #options: FrontOptions;
  #names: ReadonlySet<string>;
  #headers: Headers;
  readonly #link: AgentLink;
  readonly #streams: Streams;
  readonly #connections = new FrontConnections(() => this.#waitForNext());
  readonly #server: Server;
  readonly #tls: TlsListener;
  readonly #inProgress = new WeakMap<Socket, number>();
  readonly #secrets = new UnknownSecrets();
  readonly #compression = new Compression();
  #idle: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: FrontOptions) {
    this.#options = options;
    this.#names = options.names;
    this.#headers = commonHeaders(options.frameAncestors);
    this.#link = new AgentLink(options.agentSocket);
    this.#streams = new Streams(this.#link, () => ({ ...this.#headers, ...apiHeaders }));
    const answer = (request: IncomingMessage, response: ServerResponse) =>
      // A defect ends one request, not the front.
      void this.#answer(request, response).catch(() => drop(response));
    this.#server = this.#makeServer(answer);
    this.#tls = new TlsListener(answer, () => this.#waitForNext());
  }

  /** Takes over other names and origins. */
  adopt({ names, frameAncestors }: FrontRules): void {
    this.#names = names;
    this.#headers = commonHeaders(frameAncestors);
  }

  /** Takes over another certificate; throws if it cannot be used. */
  adoptCertificate(pair: CertificatePair | undefined): void {
    this.#tls.adopt(pair);
  }

  /** Listens on the network too, on a descriptor that already listens. */
  listenWithTls(fd: number): Promise<Result<void, Cause>> {
    return this.#tls.listen(fd);
  }

  #makeServer(answer: (request: IncomingMessage, response: ServerResponse) => void): Server {
    const server = createServer({
      maxHeaderSize: headerBytesMax,
      headersTimeout: requestMilliseconds,
      requestTimeout: requestMilliseconds,
      keepAliveTimeout: requestMilliseconds,
      connectionsCheckingInterval: 1000,
    });
    server.timeout = silentMilliseconds;
    server.on('connection', (socket: Socket) => {
      if (!this.#connections.admit(socket)) socket.destroy();
      this.#waitForNext();
    });
    server.on('request', answer);
    // Without these two handlers Node.js would ask for the body.
    server.on('checkContinue', answer);
    server.on('checkExpectation', answer);
    return server;
  }

  /**
   * Listens on a path, or on a descriptor that already listens. It does so before this returns, and accepts connections
   * only later: the caller can give up rights in between.
   */
  listen(where: { readonly fd: number } | { readonly path: string }): Promise<Result<void, Cause>> {
    this.#waitForNext();
    return new Promise((resolve) => {
      const refused = (error: Error) => resolve(fail(causeOf(error)));
      this.#server.once('error', refused);
      // Every account may connect: a request has the rights of its token.
      const access = { readableAll: true, writableAll: true };
      this.#server.listen({ ...where, ...access }, () => {
        this.#server.off('error', refused);
        this.#server.on('error', () => {});
        resolve(ok(undefined));
      });
    });
  }

  get #isAlone(): boolean {
    return this.#connections.size + this.#tls.connections === 0;
  }

  #waitForNext(): void {
    const { idleMilliseconds = defaultIdleMilliseconds, onIdle } = this.#options;
    clearTimeout(this.#idle);
    if (onIdle === undefined || this.#isOver || !this.#isAlone) return;
    this.#idle = setTimeout(onIdle, idleMilliseconds);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: target = '', rawHeaders } = request;
    const verdict = judge({ method, target, rawHeaders }, this.#names);
    for (const [name, value] of Object.entries(this.#headers)) response.setHeader(name, value);
    if (!isShared(request) && !this.#takeTurn(request.socket, response)) {
      response.shouldKeepAlive = false;
      refuse(response, 429, 'too many requests are in progress');
      return;
    }
    if (verdict.kind === 'stream') {
      await this.#stream(verdict.token, request, response);
      return;
    }
    const limit = setTimeout(() => drop(response), answerMilliseconds);
    response.once('close', () => clearTimeout(limit));
    await this.#respond(verdict, request, response);
  }

  #takeTurn(socket: Socket, response: ServerResponse): boolean {
    const others = this.#inProgress.get(socket) ?? 0;
    if (others >= perConnectionMax) return false;
    this.#inProgress.set(socket, others + 1);
    response.once('close', () =>
      this.#inProgress.set(socket, (this.#inProgress.get(socket) ?? 1) - 1),
    );
    return true;
  }

  async #respond(
    verdict: Exclude<Verdict, { readonly kind: 'stream' }>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const isUrgent = this.#connections.isRoot(request.socket);
    switch (verdict.kind) {
      case 'file': {
        const file = this.#options.files.get(verdict.path);
        if (file === undefined) refuse(response, 404, 'there is no such file');
        else sendFile(file, request, response);
        return;
      }
      case 'api': {
        const { method, target, token, body } = verdict;
        if (!this.#mayTry(token, request, response)) return;
        const authorization = `Bearer ${token}`;
        const isCompressed = method === 'GET' && acceptsGzip(request.headers['accept-encoding']);
        const passed = body && { body: { ...body, source: request } };
        const question = { method, target, authorization, isUrgent, ...passed };
        const status = await this.#pass(question, response, isCompressed);
        this.#secrets.answered(token, status);
        return;
      }
      case 'exchange': {
        const code = codeIn(await textOf(request, verdict.bytes));
        const authorization = `Code ${code}`;
        if (code === undefined) refuse(response, 400, 'its body has no login code');
        else if (this.#mayTry(code, request, response)) {
          const target = exchangePath;
          // Never compressed: the answer has a secret.
          await this.#pass({ method: 'POST', target, authorization, isUrgent }, response, false);
        }
        return;
      }
      case 'refused':
        // Whatever body it has is not read.
        response.shouldKeepAlive = false;
        refuse(response, verdict.status, verdict.reason);
    }
  }

  /** Whether the agent may be asked with a token or a code; answers if not. */
  #mayTry(secret: string, { socket }: IncomingMessage, response: ServerResponse): boolean {
    const uid = this.#connections.uidOf(socket);
    const address = socket.remoteAddress ?? '';
    const peer = uid === undefined ? networkOf(address, isIPv6(address)) : `uid ${uid}`;
    if (this.#secrets.admit(secret, peer, uid === 0)) return true;
    response.setHeader('retry-after', '5');
    refuse(response, 429, 'too many tokens or codes were tried that are not known; retry later');
    return false;
  }

  /** Passes a question on, and its answer back while it comes. Returns the status. */
  async #pass(
    question: AgentQuestion,
    response: ServerResponse,
    isCompressed: boolean,
  ): Promise<number> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const answer = await this.#link.ask({ ...question, signal: gone.signal });
    if (answer === undefined) {
      if (!gone.signal.aborted) refuse(response, 503, noAgent);
      return 503;
    }
    const gzip = isCompressed ? this.#compression.begin(answer) : undefined;
    const { statusCode = 502 } = answer;
    response.writeHead(statusCode, {
      ...apiHeaders,
      ...passedHeaders(answer.headers),
      ...(gzip && { 'content-encoding': 'gzip' }),
    });
    const body = bodyOf(response);
    const sent = gzip === undefined ? pipeline(answer, body) : pipeline(answer, gzip, body);
    // One of them has gone: nobody is left to tell.
    await sent.catch(() => drop(response));
    return statusCode;
  }

  async #stream(token: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#mayTry(token, request, response)) return;
    const isCompressed = acceptsGzip(request.headers['accept-encoding']);
    // A page that only listens is silent. One that does not read is closed by streams.ts.
    if (!isShared(request)) request.socket.setTimeout(0);
    response.shouldKeepAlive = false;
    const refused = await this.#streams.open(token, response, {
      isCompressed,
      isRoot: this.#connections.isRoot(request.socket),
    });
    this.#secrets.answered(token, refused === undefined ? 200 : refusalStatus(refused));
    if (refused === undefined) return;
    if (refused === 'too many') refuse(response, 429, 'too many pages show live data');
    else if (refused.body.length === 0) refuse(response, 503, noAgent);
    else {
      response.writeHead(refused.status, { ...apiHeaders, ...passedHeaders(refused.headers) });
      response.end(refused.body);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#idle);
    this.#streams[Symbol.dispose]();
    await this.#tls[Symbol.asyncDispose]();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

/** Returns the agent's status; one that says nothing of the token if it has not been asked. */
const refusalStatus = (refused: WholeAnswer | 'too many') =>
  refused === 'too many' ? 503 : refused.status;

const noAgent = 'the agent does not answer';

/** Answers with an error of the front, in the shape that the agent's have. */
function refuse(response: ServerResponse, status: number, reason: string): void {
  const action = 'answer the request';
  const body = JSON.stringify({ error: `Cannot ${action}: ${reason}`, action, reason });
  response.writeHead(status, { ...apiHeaders, 'content-type': 'application/json' });
  response.end(body);
}

/** Reads a body of at most `bytes`, which its header has announced. */
async function textOf(request: IncomingMessage, bytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > bytes) return '';
      chunks.push(chunk);
    }
  } catch {
    return '';
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * Requests of the front to the agent, one connection each. They carry the visitor's token or code and nothing else of
 * the visitor: no header, cookie or address.
 */
import { request, type IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PassedBody } from '../core/guard.ts';

export interface AgentQuestion {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly target: string;
  /** `Bearer …` or `Code …`. */
  readonly authorization: string;
  /** The body, passed on while it comes, and the text of the policy that it is for. */
  readonly body?: PassedBody & { readonly source: Readable };
  readonly signal?: AbortSignal;
  /** Whether it may take the last places. */
  readonly isUrgent?: boolean;
}

export interface WholeAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

const silentMilliseconds = 60_000;
const bytesMax = 16 * 2 ** 20;
const inFlightMax = 128;
const keptForUrgent = 32;

export class AgentLink {
  readonly #socketPath: string;
  #inFlight = 0;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Asks, and returns the beginning of the answer; undefined if there is none. The caller reads the rest. */
  ask(question: AgentQuestion): Promise<IncomingMessage | undefined> {
    const { method, target: path, authorization, body, signal, isUrgent } = question;
    const max = isUrgent === true ? inFlightMax : inFlightMax - keptForUrgent;
    if (this.#inFlight >= max) return Promise.resolve(undefined);
    this.#inFlight++;
    return new Promise((resolve) => {
      const headers = {
        host: 'console',
        authorization,
        connection: 'close',
        ...(body && { 'content-type': 'application/json', 'content-length': body.bytes }),
        ...(body?.ifMatch !== undefined && { 'if-match': body.ifMatch }),
      };
      const sent = request({
        socketPath: this.#socketPath,
        path,
        method,
        headers,
        agent: false,
        ...(signal && { signal }),
      });
      sent.once('response', resolve);
      sent.on('error', () => resolve(undefined));
      sent.once('close', () => this.#inFlight--);
      sent.setTimeout(silentMilliseconds, () => sent.destroy());
      if (body === undefined) sent.end();
      // One of them has gone, or the agent has answered already.
      else void pipeline(body.source, sent).catch(() => sent.destroy());
    });
  }

  /** Asks, and reads the answer; undefined if there is none, or it is too long. */
  async askWhole(question: AgentQuestion): Promise<WholeAnswer | undefined> {
    const answer = await this.ask(question);
    if (answer === undefined) return undefined;
    const chunks: Buffer[] = [];
    let length = 0;
    try {
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        length += chunk.length;
        if (length > bytesMax) return undefined;
        chunks.push(chunk);
      }
    } catch {
      return undefined;
    }
    const { statusCode: status = 502, headers } = answer;
    return { status, headers, body: Buffer.concat(chunks) };
  }
}

/**
 * Live data: server-sent events, one frame for each tick and audience.
 *
 * The front asks for a frame with the token of one page of the audience, compresses it once, and sends the same bytes to
 * all of them. Each frame is a piece of deflate that ends at a byte and refers to nothing before it (Z_FULL_FLUSH), so a
 * page can begin with any. The agent names the audience of a token; no page is in one that the agent has not named.
 */
import type { ServerResponse } from 'node:http';
import { constants, deflateRawSync } from 'node:zlib';
import type { Headers } from '../core/headers.ts';
import type { AgentLink, WholeAnswer } from './agent-link.ts';
import { drop, isGone } from './either-protocol.ts';

const perTokenMax = 2;
const streamsMax = 200;
const keptForRoot = 40;
/** A page that takes nothing for so long is closed. */
const slowMilliseconds = 40_000;
/** Each token is checked this often, and whenever sessions have ended or a policy was adopted. */
const checkMilliseconds = 60_000;
const pauseMillisecondsMin = 500;
const pauseMillisecondsMax = 15_000;
const afterFailureMilliseconds = 2_000;
/** The agent may be away for so long, while it is restarted. */
const failuresMax = 60;

/** Header of a gzip stream without name and time. Source: RFC 1952. */
const gzipHeader = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);

interface Page {
  readonly token: string;
  readonly response: ServerResponse;
  readonly isCompressed: boolean;
  checked: number;
  slowSince?: number | undefined;
}

interface Audience {
  readonly name: string;
  readonly pages: Set<Page>;
  /** Sessions that have ended and policies that were adopted, as counted by the agent: `3 12`. */
  revision: string;
  /** The tick that the pages have. */
  tick: string;
  failures: number;
  timer?: NodeJS.Timeout;
}

export class Streams implements Disposable {
  readonly #link: AgentLink;
  readonly #headers: () => Headers;
  readonly #audiences = new Map<string, Audience>();
  /** Open streams by token, also those that are being opened. */
  readonly #counts = new Map<string, number>();
  #total = 0;
  #isOver = false;

  constructor(link: AgentLink, headers: () => Headers) {
    this.#link = link;
    this.#headers = headers;
  }

  /** Opens a stream; returns what to answer instead if there can be none. */
  async open(
    token: string,
    response: ServerResponse,
    { isCompressed, isRoot }: { readonly isCompressed: boolean; readonly isRoot: boolean },
  ): Promise<WholeAnswer | 'too many' | undefined> {
    const own = this.#counts.get(token) ?? 0;
    const max = isRoot ? streamsMax : streamsMax - keptForRoot;
    if (own >= perTokenMax || this.#total >= max) return 'too many';
    this.#counts.set(token, own + 1);
    this.#total++;
    response.once('close', () => this.#left(token));
    const first = await this.#link.askWhole({ ...frameFor(token), isUrgent: isRoot });
    if (first?.status !== 200) return first ?? noAnswer;
    if (this.#isOver || isGone(response)) return undefined;
    response.writeHead(200, {
      ...this.#headers(),
      'content-type': 'text/event-stream',
      // Proxies must not wait for the end.
      'x-accel-buffering': 'no',
      ...(isCompressed && { 'content-encoding': 'gzip' }),
    });
    if (isCompressed) response.write(gzipHeader);
    const page: Page = { token, response, isCompressed, checked: performance.now() };
    send(page, eventOf(first.body));
    this.#join(page, first);
    return undefined;
  }

  #left(token: string): void {
    this.#total--;
    const rest = (this.#counts.get(token) ?? 1) - 1;
    if (rest === 0) this.#counts.delete(token);
    else this.#counts.set(token, rest);
  }

  #join(page: Page, first: WholeAnswer): void {
    const name = header(first, 'bulkhead-audience');
    let audience = this.#audiences.get(name);
    if (audience === undefined) {
      const revision = header(first, 'bulkhead-revision');
      const tick = header(first, 'bulkhead-tick');
      audience = { name, pages: new Set(), revision, tick, failures: 0 };
      this.#audiences.set(name, audience);
      this.#schedule(audience, pauseAfter(first));
    }
    const joined = audience;
    joined.pages.add(page);
    page.response.once('close', () => {
      joined.pages.delete(page);
      if (joined.pages.size === 0) this.#end(joined);
    });
  }

  #end(audience: Audience): void {
    clearTimeout(audience.timer);
    for (const page of audience.pages) page.response.end();
    if (this.#audiences.get(audience.name) === audience) this.#audiences.delete(audience.name);
  }

  #schedule(audience: Audience, milliseconds: number): void {
    clearTimeout(audience.timer);
    if (this.#isOver || this.#audiences.get(audience.name) !== audience) return;
    const tick = () => void this.#tick(audience).catch(() => this.#end(audience));
    audience.timer = setTimeout(tick, milliseconds);
  }

  async #tick(audience: Audience): Promise<void> {
    const frame = await this.#nextFrame(audience);
    if (this.#isOver || audience.pages.size === 0) return;
    if (frame === undefined) {
      if (++audience.failures > failuresMax) this.#end(audience);
      else {
        this.#sendAll(audience, eventOf(undefined));
        this.#schedule(audience, afterFailureMilliseconds);
      }
      return;
    }
    audience.failures = 0;
    const revision = header(frame, 'bulkhead-revision');
    // Before they get it: some may not be allowed to any more.
    await this.#check(audience, revision !== audience.revision);
    audience.revision = revision;
    const tick = header(frame, 'bulkhead-tick');
    const isNew = tick !== audience.tick;
    audience.tick = tick;
    this.#sendAll(audience, eventOf(isNew ? frame.body : undefined));
    this.#schedule(audience, pauseAfter(frame));
  }

  /** Asks with the token of each page until one is answered. Pages that are refused, or in another audience now, end. */
  async #nextFrame(audience: Audience): Promise<WholeAnswer | undefined> {
    for (const page of audience.pages) {
      const frame = await this.#link.askWhole(frameFor(page.token, generationIn(audience)));
      const isHere = frame?.status === 200 && header(frame, 'bulkhead-audience') === audience.name;
      if (isHere) return frame;
      if (frame === undefined || frame.status >= 429) return undefined;
      page.response.end();
      audience.pages.delete(page);
    }
    this.#end(audience);
    return undefined;
  }

  /** Ends the pages whose session has ended. */
  async #check({ pages }: Audience, all: boolean): Promise<void> {
    const late = performance.now() - checkMilliseconds;
    for (const page of [...pages].filter((each) => all || each.checked < late)) {
      const target = '/v1/console/session';
      const authorization = `Bearer ${page.token}`;
      const answer = await this.#link.askWhole({
        method: 'GET',
        target,
        authorization,
        isUrgent: true,
      });
      if (answer?.status === 200) page.checked = performance.now();
      else {
        page.response.end();
        pages.delete(page);
      }
    }
  }

  #sendAll({ pages }: Audience, event: Event): void {
    for (const page of pages) send(page, event);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const audience of this.#audiences.values()) this.#end(audience);
  }
}

const noAnswer: WholeAnswer = { status: 503, headers: {}, body: Buffer.alloc(0) };

/** Asks for a frame. Without the generation that the pages know, or if it is over, it brings the ticks before, too. */
const frameFor = (token: string, generation = '') =>
  ({
    method: 'GET',
    target: `/v1/console/frame${/^\d{1,15}$/.test(generation) ? `?generation=${generation}` : ''}`,
    authorization: `Bearer ${token}`,
    isUrgent: true,
  }) as const;

const generationIn = ({ revision }: Audience) => revision.split(' ')[1];

const header = ({ headers }: WholeAnswer, name: string): string => headers[name]?.toString() ?? '';

function pauseAfter(frame: WholeAnswer): number {
  const seconds = Number(header(frame, 'bulkhead-next-seconds'));
  const pause = Number.isFinite(seconds) ? seconds * 1000 + 50 : 0;
  return Math.min(Math.max(pause, pauseMillisecondsMin), pauseMillisecondsMax);
}

interface Event {
  readonly plain: Buffer;
  /** Compressed by the first page that takes it so. */
  compressed?: Buffer;
}

/** Returns a frame as an event; a comment, which keeps the connection, if there is none. */
const eventOf = (frame: Buffer | undefined): Event => ({
  plain: Buffer.from(
    frame === undefined
      ? ':\n\n'
      : `event: frame\ndata: ${frame.toString('utf8').replaceAll(/[\r\n]/g, ' ')}\n\n`,
  ),
});

/** Sends an event, or skips it for a page that has not taken the last one. */
function send(page: Page, event: Event): void {
  const { response, isCompressed } = page;
  if (isGone(response)) return;
  if (response.writableNeedDrain) {
    page.slowSince ??= performance.now();
    if (performance.now() - page.slowSince > slowMilliseconds) drop(response);
    return;
  }
  page.slowSince = undefined;
  if (isCompressed) {
    const { Z_FULL_FLUSH: finishFlush } = constants;
    event.compressed ??= deflateRawSync(event.plain, { finishFlush });
  }
  response.write(isCompressed ? event.compressed : event.plain);
}

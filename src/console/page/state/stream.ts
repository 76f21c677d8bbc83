/**
 * The live stream: one for each tab, closed while the tab is hidden. `frame` is the last tick. A stream that ends is
 * opened again, later each time.
 */
import { signal } from '@preact/signals';
import type { ConsoleFrame } from '../../../agent/api/console-api.ts';
import { session, sessionHasEnded } from './session.ts';
import { takeEvents } from './connection/sse.ts';

export type Connection = 'connecting' | 'live' | 'reconnecting' | 'paused';

export const connection = signal<Connection>('connecting');
export const frame = signal<ConsoleFrame | undefined>(undefined);

const pauseMillisecondsMin = 1000;
const pauseMillisecondsMax = 15_000;
/** Ticks without a frame after which the agent seems to be away. */
const missedTicksMax = 3;
const slackMilliseconds = 4000;

let current: AbortController | undefined;

/** Follows the session and whether anybody looks: streams begin and end with them. */
export function followStream(): void {
  document.addEventListener('visibilitychange', restart);
  // A page that the browser brings back has lost its connection.
  addEventListener('pageshow', ({ persisted }) => persisted && restart());
  let before: string | undefined;
  session.subscribe((now) => {
    const token = now.kind === 'open' ? now.token : undefined;
    if (token === before) return;
    before = token;
    frame.value = undefined;
    restart();
  });
}

function restart(): void {
  current?.abort();
  current = undefined;
  const now = session.peek();
  if (now.kind !== 'open') return;
  if (document.hidden) {
    connection.value = 'paused';
    return;
  }
  current = new AbortController();
  void stayConnected(now.token, current.signal);
}

async function stayConnected(token: string, over: AbortSignal): Promise<void> {
  let pause = pauseMillisecondsMin;
  while (!over.aborted) {
    connection.value = frame.peek() === undefined ? 'connecting' : 'reconnecting';
    const gotFrames = await readStream(token, over);
    if (over.aborted) return;
    connection.value = 'reconnecting';
    pause = gotFrames ? pauseMillisecondsMin : Math.min(pause * 2, pauseMillisecondsMax);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** Reads one stream to its end; returns whether it had frames. */
async function readStream(token: string, over: AbortSignal): Promise<boolean> {
  let gotFrames = false;
  const late = new Deadline(() => (connection.value = 'reconnecting'));
  try {
    const response = await fetch('v1/console/stream', {
      headers: { authorization: `Bearer ${token}` },
      credentials: 'omit',
      cache: 'no-store',
      signal: over,
    });
    if (response.status === 401) sessionHasEnded(token);
    if (!response.ok || response.body === null) return false;
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      const { events, rest } = takeEvents(text + decoder.decode(chunk, { stream: true }));
      text = rest;
      const last = events.findLast(({ event }) => event === 'frame');
      if (last === undefined || over.aborted) continue;
      gotFrames = true;
      const next = JSON.parse(last.data) as ConsoleFrame;
      late.set(next.durationSeconds * 1000 * missedTicksMax + slackMilliseconds);
      frame.value = next;
      connection.value = 'live';
    }
  } catch {
    // The line is lost, or the page is hidden.
  } finally {
    late.clear();
  }
  return gotFrames;
}

/** Calls once, unless it is set again in time. */
class Deadline {
  readonly #action: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(action: () => void) {
    this.#action = action;
  }

  set(milliseconds: number): void {
    this.clear();
    this.#timer = setTimeout(this.#action, milliseconds);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

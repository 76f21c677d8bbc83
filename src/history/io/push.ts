/**
 * Pushes the windows of the history that are due, one after another. The agent keeps the history, so nothing is buffered
 * here but how far it was pushed. A window that was sent, but not recorded as such, is sent again with the same values.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { HistoryWindowResponse } from '../../agent/history/history-api.ts';
import { after, due, parsePushState, type PushState } from '../core/push-state.ts';
import { writeRequest } from '../core/remote-write.ts';
import { windowSeries, type Dropped } from '../core/window-series.ts';
import { send, type Receiver, type Sent } from './send.ts';

export interface PushOptions {
  /** Asks the agent for a window; `gone`: it does not have it any more. */
  readonly ask: (from: number) => Promise<Result<HistoryWindowResponse | 'gone', Problem>>;
  /** The directory for the state. */
  readonly directory: string;
  readonly token: string | undefined;
  /** The time, in milliseconds since 1970. */
  readonly now: number;
  /** Called with what was dropped, and why. */
  readonly onDropped: (problem: Problem) => void;
  /** The time before the second attempt; it doubles with each. */
  readonly backoffMilliseconds?: number;
}

export interface Pushed {
  /** The number of windows that the server has taken. */
  readonly windows: number;
  /** The number of bytes of their requests. */
  readonly bytes: number;
  /** The windows that were dropped since the first push. */
  readonly dropped: Dropped;
}

export async function pushHistory(options: PushOptions): Promise<Result<Pushed, Problem>> {
  const { directory, now, onDropped } = options;
  const file = join(directory, 'pushed.json');
  const known = readState(file);
  if (!known.ok) onDropped(known.error);
  const { state: begin, windows } = due(known.ok ? known.value : undefined, now);
  const old = begin.dropped.old - (known.ok ? (known.value?.dropped.old ?? 0) : 0);
  if (old > 0) onDropped(tooOld(old));
  let state = begin;
  let taken = 0;
  let bytes = 0;
  for (const from of windows) {
    const pushed = await pushWindow(from, state, options);
    if (!pushed.ok) return pushed;
    const { sent, url } = pushed.value;
    if (sent.kind === 'taken') {
      taken++;
      bytes += sent.bytes;
      state = after(state, from, { url, compression: sent.compression });
    } else {
      onDropped({ action: 'push the history', object: url, reason: sent.reason });
      state = after(state, from, sent.kind);
    }
    const kept = replaceFile(file, JSON.stringify(state), 0o600);
    if (!kept.ok) return kept;
  }
  return ok({ windows: taken, bytes, dropped: state.dropped });
}

const tooOld = (windows: number): Problem => ({
  action: 'push the history',
  reason: `${windows} times five minutes of it are more than a day old, and are dropped`,
});

type Settled =
  | Exclude<Sent, { readonly kind: 'later' }>
  | { readonly kind: 'old'; readonly reason: string };

async function pushWindow(
  from: number,
  { dropped, accepted }: PushState,
  options: PushOptions,
): Promise<Result<{ readonly url: string; readonly sent: Settled }, Problem>> {
  const asked = await options.ask(from);
  if (!asked.ok) return asked;
  if (asked.value === 'gone')
    return ok({ url: '', sent: { kind: 'old', reason: 'the agent does not keep it that long' } });
  const { url } = asked.value;
  if (url === null) return fail(noAddress);
  const compression = accepted?.url === url ? accepted.compression : undefined;
  const request = writeRequest(windowSeries(asked.value, dropped));
  const sent = await persistently(request, { url, token: options.token, compression }, options);
  if (sent.kind !== 'later') return ok({ url, sent });
  return failed({ action: 'push the history', object: url, reason: sent.reason });
}

const noAddress: Problem = {
  action: 'push the history',
  reason: 'the policy names no address',
  hint: 'write for example <agent><history push="https://metrics.example.org/api/v1/write"/></agent>',
};

/** The timer begins again five minutes later. */
const attemptsMax = 4;
const waitSecondsMax = 30;

async function persistently(
  request: Uint8Array,
  receiver: Receiver,
  { backoffMilliseconds = 1000 }: PushOptions,
): Promise<Sent> {
  for (let attempt = 1; ; attempt++) {
    const sent = await send(request, receiver);
    if (sent.kind !== 'later' || attempt === attemptsMax) return sent;
    if ((sent.afterSeconds ?? 0) > waitSecondsMax) return sent;
    // Hosts that failed together must not come back together.
    const wait = backoffMilliseconds * 2 ** (attempt - 1) * (0.5 + Math.random());
    await sleep(Math.max(wait, (sent.afterSeconds ?? 0) * 1000));
  }
}

const stateBytesMax = 16 * 1024;

function readState(file: string): Result<PushState | undefined, Problem> {
  const bytes = readBounded(file, stateBytesMax, { links: 'refuse' });
  if (!bytes.ok && bytes.error.errno === 'ENOENT') return ok(undefined);
  if (!bytes.ok) return bytes;
  const state = parsePushState(decodeText(bytes.value));
  return state === undefined
    ? failed({ action: 'read', object: file, reason: 'it is damaged, so the push begins anew' })
    : ok(state);
}

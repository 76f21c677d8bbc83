/** A push of five minutes of 1,000 tenants, of whom 30 % did something: its request, and how long it takes to make. */
import { zstdCompressSync } from 'node:zlib';
import type { HistoryWindowResponse } from '../src/agent/history/history-api.ts';
import { snappy } from '../src/history/core/snappy.ts';
import { writeRequest } from '../src/history/core/remote-write.ts';
import { windowSeries } from '../src/history/core/window-series.ts';
import { minutesInWindow, pushedMetrics, windowMilliseconds } from '../src/usage/push/window.ts';
import type { Bench } from './bench.ts';
import { compare, inTurn, milliseconds, type Section } from './samples.ts';

const tenants = 1000;
const busyShare = 0.3;
/** Requests in one sample, which alone would be too short. */
const requests = 20;
const dropped = { old: 0, refused: 0 };

export async function benchHistoryPush({ quick, signal }: Bench): Promise<Section> {
  const window = windowOf(tenants * busyShare);
  const request = writeRequest(windowSeries(window, dropped));
  const each = (make: () => unknown) => () =>
    milliseconds(() => {
      for (let count = 0; count < requests; count++) make();
    }) / requests;
  const make = () => writeRequest(windowSeries(window, dropped));
  const [zstd = [], snappied = [], floor = []] = await inTurn(
    quick ? 5 : 50,
    [
      each(() => zstdCompressSync(make())),
      each(() => snappy(make())),
      each(() => zstdCompressSync(request)),
    ],
    signal,
  );
  const kib = (bytes: Uint8Array) => `${(bytes.length / 1024).toFixed(1)} KiB`;
  return {
    name: 'history-push',
    title: `A push of five minutes of ${tenants} tenants, ${busyShare * 100} % of whom did something`,
    beside: 'zstd of the same bytes alone',
    rows: [
      { ...compare('with zstd', zstd, floor), note: '1.5 ms is the goal' },
      compare('with Snappy', snappied, floor),
    ],
    notes: [
      `the request has ${kib(request)}: ${kib(zstdCompressSync(request))} as zstd, ${kib(snappy(request))} as Snappy; 20 KiB is the goal`,
      'the values are random, which compresses worst',
    ],
  };
}

function windowOf(busy: number): HistoryWindowResponse {
  let seed = 7;
  const random = () => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  const from = Math.floor(Date.UTC(2027, 0, 1) / windowMilliseconds) * windowMilliseconds;
  const metrics = () => Object.fromEntries(pushedMetrics.map((key) => [key, random() * 1e6]));
  const minutes = Array.from({ length: minutesInWindow }, () => random() * 1e6);
  return {
    url: null,
    host: 'web-017',
    from,
    to: from + windowMilliseconds,
    minutes: [
      {
        seconds: minutes.map(() => 60),
        metrics: Object.fromEntries(pushedMetrics.map((key) => [key, minutes])),
      },
    ],
    tenants: Array.from({ length: busy }, (_, each) => ({
      name: `user${each}`,
      uid: 1000 + each,
      metrics: metrics(),
      faults: {},
    })),
  };
}

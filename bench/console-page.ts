/**
 * The page of the console in Chromium, with 1,000 tenants: the time until their first rows, and what a tick costs the
 * thread that draws, by the browser's own clock of that thread. A phone is a processor four times slower on a slow line.
 */
import { mkdirSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { chromium, type Browser, type CDPSession, type Page } from 'playwright-core';
import { buildConsole } from '../scripts/console.ts';
import { allowedNames } from '../src/console/core/hosts.ts';
import { Front } from '../src/console/io/front.ts';
import { readServedFiles } from '../src/console/io/served-files.ts';
import { busyTick, firstUid, hostWith } from '../test/console/page/host.ts';
import type { Stage } from '../test/console/stage.ts';
import type { Bench } from './bench.ts';
import { spreadOf, type Row, type Section } from './samples.ts';

const tenants = 1_000;
const active = 300;
const settleMilliseconds = 400;
const program = '/usr/bin/chromium';

interface Device {
  readonly name: string;
  readonly width: number;
  readonly slowdown: number;
  /** Bytes per second and milliseconds; undefined for a line without a limit. */
  readonly line?: { readonly down: number; readonly up: number; readonly latency: number };
}

const devices: readonly Device[] = [
  { name: 'desktop', width: 1280, slowdown: 1 },
  {
    name: 'phone',
    width: 390,
    slowdown: 4,
    line: { down: 200_000, up: 94_000, latency: 150 },
  },
];

/** The durations of the thread that draws, in milliseconds. */
const durations = {
  script: 'ScriptDuration',
  layout: 'LayoutDuration',
  style: 'RecalcStyleDuration',
  all: 'TaskDuration',
} as const;
type Costs = Readonly<Record<keyof typeof durations, number>>;

export async function benchConsolePage(bench: Bench): Promise<Section> {
  const [loads, ticks] = bench.quick ? [2, 3] : [7, 10];
  await using stage = await hostWith(tenants);
  busyTick(stage, tenants);
  await using site = await openSite(bench, stage);
  const browser = await chromium.launch({ executablePath: program, args: ['--no-sandbox'] });
  try {
    const rows: Row[] = [];
    for (const device of devices)
      rows.push(...(await rowsOf({ bench, stage, browser, url: site.url, device, loads, ticks })));
    return {
      name: 'console-page',
      title: `The page of the console in Chromium, ${tenants} tenants`,
      beside: '',
      rows,
      notes: [
        `phone: a processor ${devices[1]?.slowdown} times slower, 1.6 Mbit/s, 150 ms`,
        'ticks: CPU time of the thread that draws',
      ],
    };
  } finally {
    await browser.close();
  }
}

interface Run {
  readonly bench: Bench;
  readonly stage: Stage;
  readonly browser: Browser;
  readonly url: string;
  readonly device: Device;
  readonly loads: number;
  readonly ticks: number;
}

async function rowsOf(run: Run): Promise<readonly Row[]> {
  const { name } = run.device;
  const first: number[] = [];
  for (let load = 0; load < run.loads; load++) {
    run.bench.signal.throwIfAborted();
    const { page, milliseconds } = await openTable(run);
    first.push(milliseconds);
    await page.context().close();
  }
  const costs = await tickCosts(run);
  const spread = (key: keyof Costs) => spreadOf(costs.map((each) => each[key]));
  return [
    { label: `${name}: until the first rows`, ours: spreadOf(first) },
    ...(['all', 'script', 'layout', 'style'] as const).map((key) => ({
      label: `${name}: a tick, ${key}`,
      ours: spread(key),
    })),
  ];
}

interface Opened {
  readonly page: Page;
  readonly session: CDPSession;
  readonly milliseconds: number;
}

/** Opens the table of tenants by a login, with nothing kept of before. */
async function openTable({ browser, url, stage, device }: Run): Promise<Opened> {
  const context = await browser.newContext({
    viewport: { width: device.width, height: 900 },
    locale: 'en-US',
  });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send('Emulation.setCPUThrottlingRate', { rate: device.slowdown });
  const { line } = device;
  if (line !== undefined) {
    await session.send('Network.enable');
    await session.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: line.latency,
      downloadThroughput: line.down,
      uploadThroughput: line.up,
    });
  }
  const code = await stage.code(0);
  const before = performance.now();
  await page.goto(`${url}#code=${code}&to=/tenants?sort=cpu`, { timeout: 0, waitUntil: 'commit' });
  await page.waitForSelector('tbody a.name', { timeout: 0 });
  return { page, session, milliseconds: performance.now() - before };
}

async function tickCosts(run: Run): Promise<readonly Costs[]> {
  const { page, session } = await openTable(run);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  await page.waitForSelector('.live[data-state="live"]', { timeout: 0 });
  const costs: Costs[] = [];
  // The first tick makes what later ones only change.
  for (let tick = -1; tick < run.ticks; tick++) {
    run.bench.signal.throwIfAborted();
    await pause(settleMilliseconds);
    const changed = page.evaluate(nextChange);
    const before = await costsOf(session);
    haveTick(run.stage, tick);
    await changed;
    await pause(settleMilliseconds);
    const after = await costsOf(session);
    if (tick >= 0) costs.push(difference(after, before));
  }
  await page.context().close();
  return costs;
}

/** Waits in the page, since each look from outside would cost its thread time. */
const nextChange = `new Promise((done) => {
  const observer = new MutationObserver(() => (observer.disconnect(), done()));
  observer.observe(document.querySelector('tbody'), {
    subtree: true, childList: true, characterData: true, attributes: true,
  });
})`;

/** Has a tick in which all that is shown changes. */
function haveTick(stage: Stage, tick: number): void {
  const usage = Array.from({ length: active }, (_, index) => {
    const share = ((index * 37 + tick * 101 + 13) % active) / active;
    const memory = 2 ** 30 * share;
    const each = { cpu: share, anonymous: memory, memory, read: share * 1e7, threads: index };
    return [firstUid + index, each] as const;
  });
  stage.measure(Date.now(), Object.fromEntries(usage));
}

async function costsOf(session: CDPSession): Promise<Costs> {
  const { metrics } = await session.send('Performance.getMetrics');
  const of = (name: string) => (metrics.find((each) => each.name === name)?.value ?? NaN) * 1000;
  return {
    script: of(durations.script),
    layout: of(durations.layout),
    style: of(durations.style),
    all: of(durations.all),
  };
}

const difference = (after: Costs, before: Costs): Costs => ({
  script: after.script - before.script,
  layout: after.layout - before.layout,
  style: after.style - before.style,
  all: after.all - before.all,
});

interface Site extends AsyncDisposable {
  readonly url: string;
}

/** Opens a front for the agent, and TCP in place of the tunnel. */
async function openSite({ directory }: Bench, stage: Stage): Promise<Site> {
  const built = `${directory}/console-page`;
  mkdirSync(built, { recursive: true });
  await buildConsole(built);
  const files = readServedFiles(built);
  if (!files.ok) throw new Error(`cannot read the built page: ${JSON.stringify(files.error)}`);
  const path = `${directory}/console-page.sock`;
  const names = allowedNames([]) ?? new Set();
  const front = new Front({
    agentSocket: stage.front,
    files: files.value,
    names,
    frameAncestors: [],
  });
  const listens = await front.listen({ path });
  if (!listens.ok) throw new Error(`cannot listen: ${listens.error.reason}`);
  const tunnel = createServer((socket) => {
    const inner = connect(path);
    socket.pipe(inner).pipe(socket);
    socket.on('error', () => inner.destroy());
    inner.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => tunnel.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://localhost:${(tunnel.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: async () => {
      tunnel.close();
      await front[Symbol.asyncDispose]();
    },
  };
}

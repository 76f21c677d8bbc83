/**
 * The page of the console in a real browser, between the front and the agent's real API. Every test of a page ends with
 * `view.check()`, which fails for anything that no page may have.
 */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer, request as ask, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';
import { chromium, type Browser, type Page } from 'playwright-core';
import { buildConsole } from '../../../scripts/console.ts';
import { allowedNames } from '../../../src/console/core/hosts.ts';
import { Front } from '../../../src/console/io/front.ts';
import { readServedFiles, type ServedFiles } from '../../../src/console/io/served-files.ts';
import { ensurePrerequisites } from '../../../testing/prerequisites.ts';
import { eventually, patienceMilliseconds } from '../../../testing/patience.ts';
import { suiteDirectory, temporaryDirectory } from '../../../testing/temporary-directory.ts';
import { ok } from '../../../packages/base/result.ts';
import { Stage, uids } from '../stage.ts';
import { goodStatus } from './host.ts';

const program = '/usr/bin/chromium';

const ready = await ensurePrerequisites('console-page', (line) =>
  process.stdout.write(`${line}\n`),
);

/** The reason why tests of the page are skipped here; false if they are not. */
export const skip: string | false = !ready.ok
  ? ready.reason
  : existsSync(program)
    ? false
    : `there is no ${program}`;

export const widths = [320, 390, 768, 1280] as const;
export type Width = (typeof widths)[number];
type Theme = 'light' | 'dark';

interface ViewOptions {
  readonly width?: Width;
  readonly theme?: Theme;
  readonly language?: string;
}

const heights: Readonly<Record<Width, number>> = { 320: 640, 390: 844, 768: 1024, 1280: 900 };

/** The browser of a file of tests, with the page as the package has it. */
export class ConsoleBrowser {
  readonly #browser: Browser;
  readonly #files: ServedFiles;

  private constructor(browser: Browser, files: ServedFiles) {
    this.#browser = browser;
    this.#files = files;
    after(() => browser.close());
  }

  /** Starts it; `isPseudo` is the language for tests. Call it at the top level of a file, not in a test. */
  static async start(isPseudo = false): Promise<ConsoleBrowser> {
    const directory = suiteDirectory('console-page');
    await buildConsole(directory, { isPseudo });
    const files = readServedFiles(directory);
    assert.ok(files.ok, JSON.stringify(files));
    const args = ['--no-sandbox', '--disable-dev-shm-usage'];
    const browser = await chromium.launch({ executablePath: program, args });
    return new ConsoleBrowser(browser, files.value);
  }

  /** Opens an agent and a front for one test. */
  async open(stage?: Stage): Promise<ConsoleSite<Stage>> {
    return this.openFor(stage ?? (await smallStage()));
  }

  /** Opens a front for an agent, which ends with it. */
  openFor<Agent extends ConsoleAgent>(agent: Agent): Promise<ConsoleSite<Agent>> {
    return ConsoleSite.open(this.#browser, this.#files, agent);
  }
}

async function smallStage(): Promise<Stage> {
  const stage = await Stage.start();
  stage.status = goodStatus(Object.keys(uids).length);
  stage.history = { columns: async () => ok({ seconds: [], metrics: new Map() }) };
  return stage;
}

/** The agent, as far as a console needs it. */
export interface ConsoleAgent extends AsyncDisposable {
  /** The socket for the front. */
  readonly front: string;
  readonly code: (uid: number) => Promise<string>;
}

/** A console at a URL: the agent, its front, and TCP in place of the tunnel. */
export class ConsoleSite<Agent extends ConsoleAgent> implements AsyncDisposable {
  readonly stage: Agent;
  readonly url: string;
  readonly #browser: Browser;
  readonly #front: Front;
  readonly #tunnel: Server;
  readonly #views: View[] = [];
  readonly #remove: () => void;

  private constructor(
    parts: readonly [browser: Browser, stage: Agent, front: Front, tunnel: Server],
    remove: () => void,
  ) {
    [this.#browser, this.stage, this.#front, this.#tunnel] = parts;
    this.#remove = remove;
    this.url = `http://localhost:${(this.#tunnel.address() as AddressInfo).port}/`;
  }

  static async open<Agent extends ConsoleAgent>(
    browser: Browser,
    files: ServedFiles,
    stage: Agent,
  ): Promise<ConsoleSite<Agent>> {
    const directory = temporaryDirectory('console-site', undefined, 0o755);
    const path = `${directory.path}/console.sock`;
    const names = allowedNames([]);
    assert.ok(names);
    const front = new Front({ agentSocket: stage.front, files, names, frameAncestors: [] });
    const listens = await front.listen({ path });
    assert.ok(listens.ok);
    const tunnel = tunnelTo(path);
    await new Promise<void>((resolve) => tunnel.listen(0, '127.0.0.1', resolve));
    return new ConsoleSite([browser, stage, front, tunnel], () => directory.remove());
  }

  /** Lets pages of these origins show it in a frame, as the policy does. */
  allowFrames(frameAncestors: readonly string[]): void {
    const names = allowedNames([]);
    assert.ok(names);
    this.#front.adopt({ names, frameAncestors });
  }

  /** Opens the page in a window of its own, without a login. */
  async view(hash = '', options: ViewOptions = {}): Promise<View> {
    const view = await View.open(this.#browser, `${this.url}${hash}`, options);
    this.#views.push(view);
    return view;
  }

  /** Opens the page and logs in by a code, as somebody does who clicks on the address that the command prints. */
  async login(uid: number, route = '/', options: ViewOptions = {}): Promise<View> {
    const view = await this.view(`#code=${await this.stage.code(uid)}&to=${route}`, options);
    // The page that exchanges the code has a title, too; a reload would lose the code.
    const isOpen = async () => (await view.page.$('#content h1')) !== null;
    await eventually(`${route} opens`, isOpen, () => view.text());
    return view;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const view of this.#views) await view.close();
    this.#tunnel.closeAllConnections();
    await new Promise((resolve) => this.#tunnel.close(resolve));
    await this.#front[Symbol.asyncDispose]();
    await this.stage[Symbol.asyncDispose]();
    this.#remove();
  }
}

/** Passes requests on as a web server does that does not know what they mean. */
function tunnelTo(socketPath: string): Server {
  return createServer((incoming, response) => {
    const { method, url: path, headers } = incoming;
    const passed = ask({ socketPath, method, path, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    passed.on('error', () => response.destroy());
    response.on('close', () => passed.destroy());
    incoming.pipe(passed);
  });
}

/** A window with the page. */
export class View {
  readonly page: Page;
  /** Whatever the console of the browser said that is wrong, also reports of the content security policy. */
  readonly problems: string[] = [];
  /** Responses with an error, which a test may expect. */
  readonly expected: RegExp[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on('pageerror', (error) => this.problems.push(`thrown: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning')
        this.problems.push(`${message.type()}: ${message.text()}`);
    });
  }

  static async open(
    browser: Browser,
    url: string,
    { width = 1280, theme = 'light', language = 'en-US' }: ViewOptions,
  ): Promise<View> {
    const context = await browser.newContext({
      viewport: { width, height: heights[width] },
      colorScheme: theme,
      locale: language,
      reducedMotion: 'reduce',
      hasTouch: width < 760,
    });
    // This only prevents hanging.
    context.setDefaultTimeout(patienceMilliseconds);
    const view = new View(await context.newPage());
    await view.page.goto(url);
    return view;
  }

  /** Opens another tab, which shares what the browser keeps. */
  async tab(): Promise<View> {
    return new View(await this.page.context().newPage());
  }

  text(selector = 'body'): Promise<string> {
    return this.page.locator(selector).first().innerText();
  }

  /** Waits until the page shows a text. */
  async shows(text: string | RegExp, selector = 'body'): Promise<void> {
    const matches = (shown: string) =>
      typeof text === 'string' ? shown.includes(text) : text.test(shown);
    const read = () => this.text(selector);
    await eventually(
      `${selector} shows ${text}`,
      async () => ((await this.page.$(selector)) === null ? false : matches(await read())),
      read,
    );
  }

  /** Fails if the page has what no page may have. `name` is the name of its picture. */
  async check(name: string): Promise<void> {
    await this.picture(name);
    const known = (problem: string) => this.expected.some((each) => each.test(problem));
    assert.deepEqual(
      this.problems.filter((each) => !known(each)),
      [],
      name,
    );
    assert.deepEqual(await this.overflow(), [], `${name}: nothing scrolls sideways`);
    assert.deepEqual(await this.unevenRows(), [], `${name}: rows are equally high`);
    assert.deepEqual(await this.smallTargets(), [], `${name}: targets have 24 pixels`);
    assert.deepEqual(await this.axe(), [], `${name}: axe finds nothing`);
  }

  /** Keeps a picture in the directory that BULKHEAD_PICTURES names, for people to look at. */
  async picture(name: string, fullPage = false): Promise<void> {
    const directory = process.env['BULKHEAD_PICTURES'];
    if (directory === undefined || directory === '') return;
    mkdirSync(directory, { recursive: true });
    await this.page.screenshot({ path: `${directory}/${name}.png`, fullPage });
  }

  /** Returns the elements that make the page wider than the window. */
  overflow(): Promise<readonly string[]> {
    return this.page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      if (scrollWidth <= clientWidth) return [];
      const wide = [...document.querySelectorAll('body *')].filter(
        (each) => each.getBoundingClientRect().right > clientWidth + 1,
      );
      return [
        `${scrollWidth} > ${clientWidth}`,
        ...wide.map((each) => each.outerHTML.slice(0, 120)),
      ];
    });
  }

  /** Returns the rows of windowed tables that are not as high as their places. */
  unevenRows(): Promise<readonly string[]> {
    return this.page.evaluate(() =>
      [...document.querySelectorAll('.table tbody tr:not(.spacer)')].flatMap((each) => {
        const { height } = each.getBoundingClientRect();
        return Math.abs(height - 56) < 1 ? [] : [`${height}: ${each.outerHTML.slice(0, 120)}`];
      }),
    );
  }

  /** Returns what can be clicked and is smaller than 24 pixels, except links in a text. */
  smallTargets(): Promise<readonly string[]> {
    return this.page.evaluate(() => {
      const targets = document.querySelectorAll('button, select, input, summary, nav a, a.name');
      return [...targets].flatMap((each) => {
        const { width, height } = each.getBoundingClientRect();
        const isShown = width > 0 && height > 0 && each.checkVisibility();
        return isShown && (width < 24 || height < 24)
          ? [`${width}×${height}: ${each.outerHTML.slice(0, 120)}`]
          : [];
      });
    });
  }

  /** Returns the violations of WCAG 2.2 AA that axe finds. */
  async axe(): Promise<readonly string[]> {
    await this.page.evaluate(axeSource);
    const found = await this.page.evaluate(async () => {
      const { axe } = globalThis as unknown as { readonly axe: Axe };
      const { violations } = await axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      });
      return violations.map(
        ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`,
      );
    });
    return found;
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}

interface Axe {
  readonly run: (
    document: Document,
    options: object,
  ) => Promise<{
    readonly violations: readonly {
      readonly id: string;
      readonly nodes: readonly { readonly html: string }[];
    }[];
  }>;
}

const axeSource = readFileSync(
  createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
  'utf8',
);

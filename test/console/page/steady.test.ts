/** Pages hold still while numbers tick, and outlast a restart of the agent with everything that people do in them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { processOf } from '../../usage/incidents.ts';
import { Stage, uids } from '../stage.ts';
import { ConsoleBrowser, skip, type View } from './browser.ts';
import { firstUid, goodStatus, hostWith } from './host.ts';
import { Person, setHidden } from './person.ts';
import { alice, tenantHost } from './tenant-host.ts';

const mebibyte = 2 ** 20;
const minute = 60_000;
/** Only prevents hanging. */
const timeout = 240_000;
const rows = 300;

/** Numbers of every length; the last tick is in the next minute, in which pages ask for their charts again. */
const ticks = [
  { cpu: 0.3, memory: 0.4, threads: 1, later: 0 },
  { cpu: 7.5, memory: 1023, threads: 41, later: 1 },
  { cpu: 100.5, memory: 12_345, threads: 100_000, later: 2 },
  { cpu: 0.9, memory: 9, threads: 7, later: minute },
] as const;

const busyPages = [
  { route: '/', selector: '.tile', shows: (cpu: number) => `${cpu} cores` },
  { route: '/tenants', selector: 'tbody', shows: percentText },
  { route: '/tenants/alice', selector: '.tile', shows: percentText },
] as const;

function percentText(cpu: number): string {
  return `${(cpu * 100).toLocaleString('en-US')}%`;
}

/** Has a tick that the front fetches at once. */
function measure(stage: Stage, ...args: Parameters<Stage['measure']>): void {
  stage.measure(...args);
  stage.lastTick -= 60_000;
}

function tickOfAlice(stage: Stage, begin: number, tick: (typeof ticks)[number]): void {
  const { cpu, memory, threads, later } = tick;
  const hit = {
    member: alice,
    limit: 'cpu.limit',
    severity: 'throttled',
    inferred: false,
  } as const;
  const bytes = memory * mebibyte;
  const usage = { cpu, memory: bytes, cache: bytes / 3, read: bytes / 7, write: bytes, threads };
  measure(stage, begin + later, { [uids.alice]: usage }, [{ ...hit, count: threads }]);
}

/** Returns a host whose processes need other amounts each time somebody looks. */
async function tickingHost(): Promise<Stage> {
  const { stage } = await tenantHost();
  stage.status = goodStatus(2);
  let looks = 0;
  const read = () => {
    const memoryBytes = 3 ** (looks++ % 20) * 1000;
    return Promise.resolve([processOf({ pid: 88_101, name: 'php', memoryBytes })]);
  };
  // The answer of the page uses nothing else of it.
  stage.parts = { ...stage.parts, evidence: { read } as never };
  return stage;
}

/** Loads the page again, and waits until it has all of its answers. */
async function settle(person: Person): Promise<void> {
  const { page } = person.view;
  const open = new Set<unknown>();
  page.on('request', (each) => each.url().includes('/v1/console/stream') || open.add(each));
  page.on('requestfinished', (each) => open.delete(each));
  page.on('requestfailed', (each) => open.delete(each));
  await page.reload();
  await person.sees('Live', '.live');
  await person.until('every request is answered', async () => {
    const before = open.size;
    await drawn(person.view);
    return before + open.size === 0 && !(await person.text('main')).includes('Loading…');
  });
}

const drawn = ({ page }: View) =>
  page.evaluate(async () => {
    for (let at = 0; at < 3; at++) await new Promise((resolve) => requestAnimationFrame(resolve));
  });

/** Part of the DOM that TypeScript does not know. Source: the Layout Instability API. */
interface LayoutShift extends PerformanceEntry {
  readonly value: number;
  readonly sources: readonly { readonly node: Node | null }[];
}

/** Begins to note what moves. */
const watch = ({ page }: View) =>
  page.evaluate(() => {
    const moved: string[] = [];
    Object.assign(globalThis, { moved });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as LayoutShift[]) {
        const nodes = entry.sources.map(({ node }) =>
          node instanceof Element ? node.outerHTML.slice(0, 160) : node?.textContent,
        );
        moved.push(`${entry.value}: ${nodes.join(' | ')}`);
      }
    }).observe({ type: 'layout-shift' });
  });

const movedIn = async (view: View): Promise<readonly string[]> => {
  await drawn(view);
  return view.page.evaluate(() => (globalThis as unknown as { moved: string[] }).moved);
};

/** Returns the places of all cells of the first rows of tables. */
const columnsOf = ({ page }: View) =>
  page.evaluate(() =>
    [...document.querySelectorAll('thead th, tbody tr:first-child > *')].map((each) => {
      const { left, width } = each.getBoundingClientRect();
      return `${left} ${width}`;
    }),
  );

/** Returns the names of the visible rows with their places. */
const placesOf = ({ page }: View) =>
  page.evaluate(() =>
    [...document.querySelectorAll('tbody a.name')].flatMap((each) => {
      const { top } = each.getBoundingClientRect();
      return top > 0 && top < innerHeight ? [`${each.textContent} ${top}`] : [];
    }),
  );

const attentionOf = ({ page }: View) =>
  page.evaluate(() => ({
    scroll: scrollY,
    focus: document.activeElement?.textContent,
    selection: String(getSelection()),
    chosen: document.querySelectorAll('tbody input:checked').length,
  }));

describe('steady', { skip }, async () => {
  if (skip !== false) return;
  const browser = await ConsoleBrowser.start();

  for (const { route, selector, shows } of busyPages)
    for (const width of [1280, 390] as const)
      test(`nothing moves on ${route} at ${width} pixels`, { timeout }, async () => {
        const stage = await tickingHost();
        await using site = await browser.open(stage);
        const begin = Math.floor(Date.now() / minute) * minute;
        tickOfAlice(stage, begin - 1000, ticks[1]);
        const person = new Person(await site.login(0, route, { width }));
        await settle(person);
        const columns = await columnsOf(person.view);
        await watch(person.view);
        const isSteady = async () => {
          assert.deepEqual(await movedIn(person.view), []);
          assert.deepEqual(await columnsOf(person.view), columns);
        };
        const table = await person.text('table');
        for (const tick of ticks) {
          tickOfAlice(stage, begin, tick);
          await person.sees(shows(tick.cpu), selector);
          await isSteady();
        }
        // The processes of a tenant are asked for again less often than the ticks come.
        const isOther = async () => (await person.text('table')) !== table;
        if (table !== '') await person.until('the table has other numbers', isOther);
        await isSteady();
        await person.view.page.evaluate(() => {
          document.querySelector('h1')?.append(document.createElement('br'), 'moved');
        });
        await person.until(
          'a move is noticed',
          async () => (await movedIn(person.view)).length > 0,
        );
      });

  test('rows stay where somebody looks, chooses and marks text', { timeout }, async () => {
    await using site = await browser.open(await hostWith(rows));
    const tick = (round: number) => {
      const use = (at: number) => ((at * 7919 + round * 104_729) % 997) / 997;
      const all = Array.from({ length: rows }, (_, at) => [firstUid + at, { cpu: use(at) }]);
      measure(site.stage, Date.now() + round, Object.fromEntries(all) as never);
    };
    tick(0);
    const person = new Person(await site.login(0, '/tenants'));
    const { view } = person;
    await person.sees('%', 'tbody');
    await view.page.evaluate(() => scrollTo(0, 56 * 100));
    const shown = view.page.locator('tbody tr:not(.spacer)');
    await person.until('the rows in the middle are there', async () => {
      const index = await shown.first().getAttribute('aria-rowindex');
      return Number(index) > 50;
    });
    const row = shown.nth(14);
    await row.locator('input').check();
    await row.locator('a.name').focus();
    await row.locator('a.name').evaluate((name) => getSelection()?.selectAllChildren(name));
    await person.sees('The order is held', '.table-note');
    const before = [await attentionOf(view), await placesOf(view), await columnsOf(view)] as const;
    assert.ok(before[1].length > 5, String(before[1]));
    const text = await row.innerText();
    for (const round of [1, 2, 3]) {
      const numbers = await row.innerText();
      tick(round);
      await person.until('the numbers are others', async () => (await row.innerText()) !== numbers);
      const now = [await attentionOf(view), await placesOf(view), await columnsOf(view)];
      assert.deepEqual(now, before);
    }
    assert.notEqual(await row.innerText(), text);
    await view.check('steady-rows');
  });

  test('what is typed outlasts a restart of the agent', { timeout }, async () => {
    const policy = '<defaults><cpu limit="100%"/></defaults><tenant user="bob"/>';
    const stage = await Stage.start();
    stage.adopt(policy);
    await using site = await browser.open(stage);
    const open = async (route: string) => new Person(await site.login(0, route));
    const [text, form, whatIf] = [
      await open('/policy?view=text'),
      await open('/policy'),
      await open('/policy/what-if'),
    ];
    await text.sees('No mistakes found.');
    const editor = text.view.page.getByLabel('Text of the policy');
    const typed = (await editor.inputValue()).replace('100%', '101%');
    await text.fill('Text of the policy', typed);
    await editor.evaluate((area: HTMLTextAreaElement) => area.setSelectionRange(5, 9));
    await form.click('Change Defaults…');
    await form.fill('CPU', '102%');
    await whatIf.fill('CPU', '103%');
    await stage.end();
    for (const each of [text, form, whatIf]) {
      each.view.expected.push(/503|ERR_|Failed to load/);
      await each.sees('Reconnecting…', '.live');
    }
    await stage.begin();
    stage.adopt(policy);
    for (const each of [text, form, whatIf]) await each.sees('Live', '.live');
    assert.equal(await editor.inputValue(), typed);
    const caret = await editor.evaluate((area: HTMLTextAreaElement) => [
      area.selectionStart,
      area.selectionEnd,
      document.activeElement === area,
    ]);
    assert.deepEqual(caret, [5, 9, true]);
    for (const [each, value] of [
      [form, '102%'],
      [whatIf, '103%'],
    ] as const) {
      const field = each.view.page.getByLabel('CPU', { exact: true });
      assert.equal(await field.inputValue(), value);
    }
    for (const each of [text, form]) {
      await each.click('See what would change');
      await each.sees('What would change', 'dialog');
    }
    await text.view.check('steady-restarted');
  });

  test('a hidden tab has no stream, and leaves it to others', { timeout }, async () => {
    await using site = await browser.open();
    const first = new Person(await site.login(0, '/tenants'));
    const more = async () => {
      const person = new Person(await first.view.tab());
      await person.view.page.goto(`${site.url}#/tenants`);
      return person;
    };
    await first.sees('Live', '.live');
    const second = await more();
    await second.sees('Live', '.live');
    const third = await more();
    third.view.expected.push(/429/);
    await third.sees(/onnecting…/, '.live');
    const streams: string[] = [];
    first.view.page.on('request', (each) => streams.push(each.url()));
    await setHidden(first.view, true);
    await first.sees('Paused', '.live');
    // A session has two streams: the third tab gets the one that is free now.
    await third.sees('Live', '.live');
    measure(site.stage, Date.now(), { [uids.bob]: { cpu: 0.75 } });
    await third.sees('75%', 'tbody');
    assert.doesNotMatch(await first.text('tbody'), /75%/);
    assert.deepEqual(streams, []);
    await third.view.page.close();
    // The place of the closed tab may be free a moment later.
    first.view.expected.push(/429/);
    await setHidden(first.view, false);
    await first.sees('75%', 'tbody');
    await first.view.check('steady-shown-again');
  });
});

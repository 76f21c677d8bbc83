/** The page of a tenant, for root, its reseller and itself. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { uids } from '../stage.ts';
import { ConsoleBrowser, skip, widths, type View } from './browser.ts';
import { incidentOf, processOf, snapshotOf } from '../../usage/incidents.ts';
import { value } from '../../store/samples.ts';
import { eventually } from '../../../testing/patience.ts';
import { alice, gap, idOf, tenantHost } from './tenant-host.ts';

/** Waits until the charts are drawn. */
async function drawn(view: View): Promise<void> {
  await view.page.waitForSelector('.chart canvas');
  await view.page.waitForSelector('.band', { state: 'attached' });
}

describe('tenant', { skip }, async () => {
  if (skip !== false) return;
  const browser = await ConsoleBrowser.start();

  for (const width of widths)
    test(`has nothing that no page may have at ${width} pixels`, async () => {
      const host = await tenantHost();
      await using site = await browser.open(host.stage);
      for (const theme of ['light', 'dark'] as const) {
        const view = await site.login(0, '/tenants/alice', { width, theme });
        await drawn(view);
        await view.shows('in the last 24 hours');
        await view.check(`tenant-${width}-${theme}`);
        await view.picture(`tenant-whole-${width}-${theme}`, true);
        await view.close();
        const own = await site.login(uids.alice, '/', { width, theme });
        await drawn(own);
        await own.shows('Mail about your use');
        await own.check(`own-${width}-${theme}`);
        await own.picture(`own-whole-${width}-${theme}`, true);
        await own.close();
        const incident = await site.login(0, `/incidents/${idOf(host, 2)}`, { width, theme });
        await incident.shows('wp-cron.php');
        await incident.check(`incident-${width}-${theme}`);
        await incident.picture(`incident-whole-${width}-${theme}`, true);
        await incident.close();
      }
    });

  test('marks incidents on the charts, and leaves gaps blank', async () => {
    await using site = await browser.open((await tenantHost()).stage);
    const view = await site.login(0, '/tenants/alice');
    await drawn(view);
    const bands = (chart: number) =>
      view.page.locator('.chart').nth(chart).locator('.band').count();
    // CPU has those of the site and of web requests too, which have no chart of their own.
    assert.equal(await bands(0), 3);
    assert.equal(await bands(1), 1);
    assert.equal(await bands(2), 1);
    assert.equal(await bands(4), 1);
    const ink = await lineInk(view);
    const inGap = (hours: number) => hours < gap.from - 0.2 && hours > gap.to + 0.2;
    const blank = ink.filter(({ hoursAgo }) => inGap(hoursAgo));
    const measured = ink.filter(({ hoursAgo }) => hoursAgo > gap.from + 0.2 && hoursAgo < 23.5);
    assert.ok(blank.length > 20 && measured.length > 100);
    assert.ok(
      blank.every(({ pixels }) => pixels === 0),
      'nothing is drawn where nothing was measured',
    );
    assert.ok(
      measured.every(({ pixels }) => pixels > 0),
      'there is a line where something was measured',
    );
  });

  test('a mark opens its incident beside the page, and the keys go through its snapshots', async () => {
    await using site = await browser.open((await tenantHost()).stage);
    const view = await site.login(0, '/tenants/alice');
    await drawn(view);
    await view.page.locator('.chart').first().locator('.band').nth(1).click();
    await view.shows('wp-cron.php', 'dialog');
    await view.shows('3,127 times', 'dialog');
    await view.shows('Database work counts toward it, too: it had 5% of the limit', 'dialog');
    await view.check('drawer');
    await view.shows('98% CPU', 'dialog');
    await view.page.keyboard.press('ArrowLeft');
    await view.shows('96% CPU', 'dialog');
    await view.page.keyboard.press('Escape');
    await view.page.waitForSelector('dialog', { state: 'detached' });
    assert.equal(await hashOf(view), '#/tenants/alice');
    await view.page.getByText('for web requests at once').click();
    await view.shows('GET shop.example/cart ← 192.0.2.7', 'dialog');
    await view.shows('seen 2 times', 'dialog');
  });

  test('one cursor moves over all charts', async () => {
    await using site = await browser.open((await tenantHost()).stage);
    const view = await site.login(0, '/tenants/alice');
    await drawn(view);
    const over = view.page.locator('.chart .plot-area').first();
    await over.scrollIntoViewIfNeeded();
    await over.hover({ position: { x: 100, y: 40 }, force: true });
    await view.shows(/\d\d:\d\d: .*MiB.*MiB/, '.chart:nth-child(2) .cursor-line');
    await view.shows(/\d\d:\d\d: .*%/, '.chart:nth-child(1) .cursor-line');
    await view.picture('cursor');
    await view.page.mouse.move(0, 0);
    await eventually('the cursor is gone', async () => (await cursors(view)) === 0);
  });

  test('a finger sets the cursor and scrolls the page; it marks no period', async () => {
    await using site = await browser.open((await tenantHost()).stage);
    const view = await site.login(0, '/tenants/alice', { width: 390 });
    await drawn(view);
    const before = await hashOf(view);
    const tap = async (at: number, x: number) => {
      const area = view.page.locator('.chart .plot-area').nth(at);
      await area.evaluate((element) => element.scrollIntoView({ block: 'center' }));
      await area.tap({ position: { x, y: 40 }, force: true });
    };
    await tap(0, 20);
    await view.shows(/\d\d:\d\d: /, '.chart:nth-child(2) .cursor-line');
    await tap(1, 100);
    await view.shows(/\d\d:\d\d: /, '.chart:nth-child(1) .cursor-line');
    assert.ok((await cursors(view)) > 2);
    assert.equal(await hashOf(view), before);
    await view.page.locator('h1').tap();
    await eventually('the cursor is gone', async () => (await cursors(view)) === 0);
  });

  test('a period that begins on a mark opens no incident', async () => {
    await using site = await browser.open((await tenantHost()).stage);
    const view = await site.login(0, '/tenants/alice');
    await drawn(view);
    const band = view.page.locator('.chart').first().locator('.band').nth(1);
    await band.scrollIntoViewIfNeeded();
    const box = await band.boundingBox();
    assert.ok(box);
    await view.page.mouse.move(box.x + 2, box.y + 30);
    await view.page.mouse.down();
    await view.page.mouse.move(box.x + box.width + 60, box.y + 30, { steps: 3 });
    assert.equal(await view.page.locator('.plot-selection:visible').count(), 1);
    await view.page.mouse.move(box.x + box.width - 3, box.y + 30, { steps: 3 });
    await view.page.mouse.up();
    await eventually('the address has the period', async () => /from=/.test(await hashOf(view)));
    assert.doesNotMatch(await hashOf(view), /incident/);
    assert.equal(await view.page.locator('dialog').count(), 0);
  });

  test('the period is in the address, and a shorter one can be written or drawn', async () => {
    await using site = await browser.open((await tenantHost()).stage);
    const view = await site.login(0, '/tenants/alice?period=7d');
    await drawn(view);
    await view.shows('in the last 7 days');
    await view.page.getByRole('button', { name: '6 h', exact: true }).click();
    assert.equal(await hashOf(view), '#/tenants/alice?period=6h');
    await view.shows('in the last 6 hours');
    await view.page.getByRole('button', { name: 'Show', exact: true }).click();
    await view.shows('in this period');
    assert.match(await hashOf(view), /from=\d{4}-\d\d-\d\dT.*&to=/);
    const before = await hashOf(view);
    const plot = view.page.locator('.chart .plot-area').nth(1);
    await plot.scrollIntoViewIfNeeded();
    const box = await plot.boundingBox();
    assert.ok(box);
    await view.page.mouse.move(box.x + 50, box.y + 30);
    await view.page.mouse.down();
    await view.page.mouse.move(box.x + 150, box.y + 30, { steps: 4 });
    await view.page.mouse.up();
    await eventually('the address has the period', async () => (await hashOf(view)) !== before);
    await view.page.locator('.chart summary').first().click();
    await view.shows(/\d %|not measured|\d%/, '.values');
  });

  test('a tenant begins with its sentence, also in the page of a panel', async () => {
    await using site = await browser.open((await tenantHost()).stage);
    const view = await site.login(uids.alice, '/?embed=1');
    await drawn(view);
    await view.shows(/^Your site ran out of memory once in the last 24 hours/, '.troubles');
    assert.equal(await view.page.locator('nav, .bar-top').count(), 0);
    await view.page.getByText('Details of the worst incident').click();
    await view.shows('php-fpm8.4 (process 88123)', 'dialog');
    assert.doesNotMatch(await view.text('dialog'), /policy\.xml/);
    await view.page.keyboard.press('Escape');
    await view.page.getByText('Each process').click();
    await view.shows('wp-cron.php', 'main');
    await view.page.getByLabel('Report use from').selectOption('80%');
    await view.shows('Saved');
    await view.check('own-embedded');
  });

  test('a reseller sees its sum first, and no command lines', async () => {
    await using site = await browser.open((await tenantHost()).stage);
    const view = await site.login(uids.acme, '/tenants/alice');
    await drawn(view);
    await view.shows('CPU of all your tenants', '.tile');
    await view.page.getByText('Each process').click();
    assert.doesNotMatch(await view.text('main'), /wp-cron|policy\.xml/);
    await view.check('tenant-reseller');
    await view.page.getByText('3,127 times').click();
    await view.shows('Snapshots', 'dialog');
    assert.doesNotMatch(await view.text('dialog'), /wp-cron|policy\.xml:/);
    await view.check('drawer-reseller');
  });

  test('it says where each limit comes from', async () => {
    await using site = await browser.open((await tenantHost()).stage);
    const view = await site.login(0, '/tenants/alice');
    await view.page.getByRole('button', { name: 'Where limits come from' }).click();
    await view.shows('disk reading', 'dialog table');
    await view.shows('package “starter”', 'dialog table');
    await view.check('origins');
  });

  test('names and command lines are text, whatever is in them', async () => {
    const host = await tenantHost();
    const odd = '<img src=x onerror=alert(1)>"\u202e${x}';
    const { begin } = incidentTimes();
    const {
      id: _id,
      snapshots: _snapshots,
      ...incident
    } = incidentOf({ member: alice, name: odd });
    const id = value(host.stage.events.open({ ...incident, begin, end: begin + 5000 }));
    const process = processOf({ name: odd.slice(0, 15), command: `${odd} `.repeat(90) });
    value(host.stage.events.addSnapshot(id, { ...snapshotOf([process], { cpu: 1 }), at: begin }));
    await using site = await browser.open(host.stage);
    for (const width of [390, 1280] as const) {
      const view = await site.login(0, `/incidents/${id}`, { width });
      await view.shows('<img src=x');
      await view.check(`incident-hostile-${width}`);
      assert.equal(await view.page.locator('img').count(), 0);
      assert.doesNotMatch(await view.text('main'), /bulkhead set/);
    }
    const nowhere = await site.login(0, `/tenants/${encodeURIComponent(odd)}`);
    await nowhere.shows('There is no such tenant');
    await nowhere.check('tenant-none');
  });

  test('a rule that only watches slowed nobody down, in both languages', async () => {
    const host = await tenantHost();
    const { begin } = incidentTimes();
    const {
      id: _id,
      snapshots: _snapshots,
      ...incident
    } = incidentOf({
      member: alice,
      name: 'alice',
      limit: 'reach.mail',
      severity: 'throttled',
      value: 'mail',
      faults: 3,
    });
    const id = value(host.stage.events.open({ ...incident, begin, end: begin + 5000 }));
    await using site = await browser.open(host.stage);
    for (const [language, text] of [
      ['en-US', /would have been refused 3 times, but the policy only watches/],
      ['de-DE', /wäre 3-mal abgelehnt worden, doch die Richtlinie beobachtet nur/],
    ] as const) {
      const view = await site.login(0, `/incidents/${id}`, { language });
      await view.shows(text);
      assert.doesNotMatch(await view.text('main .sentence'), /slowed|gebremst|limit was|Grenze/);
      const list = await site.login(0, '/incidents', { language });
      await list.shows(/mail sent directly|direkt gesendete Mail/);
    }
  });

  test('it speaks German', async () => {
    await using site = await browser.open((await tenantHost()).stage);
    const view = await site.login(uids.alice, '/', { language: 'de-DE', width: 390 });
    await drawn(view);
    await view.shows(/^Ihre Website hatte in den letzten 24 Stunden/, '.troubles');
    await view.check('own-german');
    await view.page.evaluate(() => (location.hash = '#/incidents/4'));
    await view.shows(/Sie hatte im Mittel 5\s%\sder Grenze, und Programmen blieben 95\s%/);
    await view.page.goBack();
    await drawn(view);
    await view.picture('own-german-whole', true);
  });
});

const cursors = (view: View) => view.page.locator('.plot-cursor:visible').count();

const hashOf = (view: View) => view.page.evaluate(() => location.hash);

const incidentTimes = () => ({ begin: Date.now() - 600_000 });

interface Ink {
  readonly hoursAgo: number;
  readonly pixels: number;
}

/** Returns how much of the first chart's line is in each column of its pixels. */
const lineInk = (view: View): Promise<readonly Ink[]> =>
  view.page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>('.chart canvas');
    const over = document.querySelector('.chart .plot-area');
    const context = canvas?.getContext('2d');
    if (!canvas || !over || !context) throw new Error('there is no chart');
    const scale = canvas.width / canvas.getBoundingClientRect().width;
    const [outer, inner] = [canvas.getBoundingClientRect(), over.getBoundingClientRect()];
    const left = Math.round((inner.left - outer.left) * scale);
    const width = Math.floor(inner.width * scale);
    const height = Math.floor(inner.height * scale);
    const { data } = context.getImageData(
      left,
      Math.round((inner.top - outer.top) * scale),
      width,
      height,
    );
    return Array.from({ length: width }, (_, x) => {
      let pixels = 0;
      for (let y = 0; y < height; y++) {
        const at = (y * width + x) * 4;
        const [red = 0, , blue = 0, alpha = 0] = data.slice(at, at + 4);
        // The line and its area are blue; the grid is gray, and the limit red.
        if (alpha > 20 && blue > red + 20) pixels++;
      }
      return { hoursAgo: 24 * (1 - x / width), pixels };
    });
  });

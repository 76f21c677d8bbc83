/** The table of tenants: many rows, hostile names, an order that holds, and the keyboard. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../../../testing/patience.ts';
import { ConsoleBrowser, skip, type View } from './browser.ts';
import { busyTick, firstUid, hostWith } from './host.ts';

const names = (view: View) =>
  view.page.evaluate(() =>
    [...document.querySelectorAll('tbody a.name')].map(({ textContent }) => textContent),
  );

describe('tenants', { skip }, async () => {
  if (skip !== false) return;
  const browser = await ConsoleBrowser.start();

  test('of 1,000 tenants only the visible rows are in the page, until all are asked for', async () => {
    await using site = await browser.open(await hostWith(1000));
    busyTick(site.stage, 1000);
    const view = await site.login(0, '/tenants');
    await view.shows('t0000', 'table');
    const rows = () => view.page.locator('tbody tr:not(.spacer)').count();
    assert.ok((await rows()) < 60, String(await rows()));
    assert.equal(await view.page.getAttribute('table', 'aria-rowcount'), '1001');
    await view.page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await eventually('the last row is there', async () => {
      const indices = await view.page.evaluate(() =>
        [...document.querySelectorAll('tbody tr')].map((each) =>
          each.getAttribute('aria-rowindex'),
        ),
      );
      return indices.includes('1001');
    });
    await view.check('tenants-1000-end');
    await view.page.click('.table-note button');
    await eventually('all rows are there', async () => (await rows()) === 1000);
  });

  test('names are text, whatever is in them', async () => {
    const stage = await hostWith(2);
    const hostile = [
      '<img src=x onerror=alert(1)>',
      `"'><b>bold`,
      '../../etc',
      '\u202egnp.exe',
      'a'.repeat(32),
      '__proto__',
      'q?x=1&y#z',
    ];
    stage.haveAccounts({
      acme: 4000,
      ...Object.fromEntries(hostile.map((name, at) => [name, firstUid + at])),
    });
    stage.adopt(hostile.map((_, at) => `<tenant uid="${firstUid + at}"/>`).join(''));
    await using site = await browser.open(stage);
    const view = await site.login(0, '/tenants', { width: 390 });
    await view.shows('<img src=x onerror=alert(1)>', 'table');
    assert.equal(await view.page.locator('table img, table b.bold').count(), 0);
    // The history of this agent is empty: the tenant's page lacks its charts.
    view.expected.push(/status of (?:400|500|503)/);
    await view.page.fill('#find', 'q?x');
    await view.page.keyboard.press('Enter');
    assert.equal(
      await view.page.evaluate(() => location.hash),
      `#/tenants/${encodeURIComponent('q?x=1&y#z')}`,
    );
    await view.page.goBack();
    await view.shows('bold', 'table');
    await view.check('tenants-hostile');
  });

  test('the order holds while the pointer is in the table', async () => {
    await using site = await browser.open(await hostWith(9));
    site.stage.tick(Date.now(), { [firstUid]: 0.9, [firstUid + 1]: 0.5 });
    const view = await site.login(0, '/tenants');
    await view.shows('90%', 'table');
    assert.deepEqual((await names(view)).slice(0, 2), ['t0000', 't0001']);
    await view.page.hover('tbody tr:nth-child(2)');
    await view.shows('The order is held');
    site.stage.tick(Date.now() + 1, { [firstUid]: 0.1, [firstUid + 1]: 0.6 });
    await view.shows('60%', 'table');
    assert.deepEqual((await names(view)).slice(0, 2), ['t0000', 't0001']);
    await view.page.mouse.move(5, 5);
    await eventually('the order is the new one', async () => (await names(view))[0] === 't0001');
    await view.check('tenants-order');
  });

  test('filters, order and search are in the address', async () => {
    await using site = await browser.open(await hostWith(30));
    busyTick(site.stage, 30);
    const view = await site.login(0, '/tenants');
    await view.shows('t0020', 'table');
    await view.page.click('.chips button:nth-child(2)');
    await eventually('three are at a limit', async () => (await names(view)).length === 3);
    await view.page.click('thead button >> nth=0');
    await view.page.fill('.search', 'starter');
    assert.deepEqual(await names(view), ['t0000']);
    const hash = await view.page.evaluate(() => location.hash);
    assert.equal(hash, '#/tenants?filter=limit&sort=tenant&search=starter');
    await view.page.reload();
    await view.shows('starter', 'table');
  });

  test('the keyboard finds a tenant, and a column by its name in LVE Manager', async () => {
    await using site = await browser.open(await hostWith(30));
    busyTick(site.stage, 30);
    const view = await site.login(0, '/');
    await view.shows('Live');
    await view.page.keyboard.press('/');
    await view.page.keyboard.type('PMEM');
    await view.shows('memory', '#found');
    await view.check('find');
    await view.page.keyboard.press('Enter');
    await view.shows('t0001', 'table');
    assert.equal(await view.page.evaluate(() => location.hash), '#/tenants?sort=memory');
    assert.equal((await names(view))[0], 't0001');
    assert.equal(await view.page.evaluate(() => document.activeElement?.tagName), 'H1');
  });
});

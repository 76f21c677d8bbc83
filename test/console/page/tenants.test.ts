/** The table of tenants. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { uids } from '../stage.ts';
import { ConsoleBrowser, skip } from './browser.ts';

describe('tenants', { skip }, async () => {
  if (skip !== false) return;
  const browser = await ConsoleBrowser.start();

  test('shows use beside each limit', async () => {
    await using site = await browser.open();
    site.stage.tick(Date.now(), { [uids.alice]: 0.5, [uids.bob]: 0.25 });
    const view = await site.login(0, '/tenants');
    await view.shows('50%', 'table');
    assert.equal(await view.page.evaluate(() => location.hash), '#/tenants');
    await view.check('tenants');
  });
});

/** Every page in light, dark and on phones: nothing that no page may have. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { uids } from '../stage.ts';
import { ConsoleBrowser, skip, widths } from './browser.ts';
import { addIncidents, busyTick, goodStatus, hostWith } from './host.ts';

/** The pages of root, and what shows that they have loaded. */
const rootPages = [
  { name: 'overview', route: '/', shows: '2 slowed' },
  { name: 'tenants', route: '/tenants', shows: 't0000' },
  { name: 'tenants-grouped', route: '/tenants?group=reseller', shows: 'acme' },
  { name: 'tenants-none', route: '/tenants?search=nobody', shows: 'No tenant is shown' },
  { name: 'incidents', route: '/incidents', shows: 'refused' },
  { name: 'more', route: '/system', shows: 'this one' },
  { name: 'no-page', route: '/nowhere', shows: 'There is no such page' },
] as const;

const looks = [
  ...widths.map((width) => [width, 'light'] as const),
  [390, 'dark'],
  [1280, 'dark'],
] as const;

describe('pages', { skip }, async () => {
  if (skip !== false) return;
  const browser = await ConsoleBrowser.start();

  for (const { name, route, shows } of rootPages)
    test(`${name}, in each width and theme`, async () => {
      await using site = await browser.open(await hostWith(60));
      busyTick(site.stage, 60);
      addIncidents(site.stage);
      for (const [width, theme] of looks) {
        const view = await site.login(0, route, { width, theme });
        await view.shows(shows);
        await view.shows('Live');
        await view.check(`${name}-${width}-${theme}`);
        await view.close();
      }
    });

  test('warnings of a policy that is in force do not say that it is not', async () => {
    await using site = await browser.open(await hostWith(60));
    const status = goodStatus(60);
    const problems = ['policy.xml:13:45: warning: 25 processes are few for 20 entries'];
    site.stage.status = { ...status, policy: { ...status.policy, problems } };
    busyTick(site.stage, 60);
    const view = await site.login(0, '/');
    await view.shows('The policy is in force, with warnings.');
    await view.shows('25 processes are few');
    assert.doesNotMatch(await view.text(), /not in force/);
  });

  test('a reseller sees its own tenants', async () => {
    await using site = await browser.open();
    site.stage.tick(Date.now(), { [uids.alice]: 0.5, [uids.bob]: 0.25 });
    const view = await site.login(uids.acme, '/tenants');
    await view.shows('alice', 'table');
    await view.check('reseller-tenants');
    await view.page.click('nav a >> nth=0');
    await view.shows('CPU of your tenants');
    await view.check('reseller-overview');
  });
});

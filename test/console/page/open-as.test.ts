/** The page as another account sees it: opened by the agent's word, read-only, recorded, and over with the session. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ConsoleLoginsResponse } from '../../../src/agent/api/console-api.ts';
import { eventually } from '../../../testing/patience.ts';
import { ask, uids } from '../stage.ts';
import { ConsoleBrowser, skip, type View } from './browser.ts';

const press = (view: View, name: string) =>
  view.page.getByRole('button', { name, exact: true }).click();

/** The way to log in. The page that looks for a session does not show it yet. */
const loggedOut = '.login .command';

describe('open as', { skip }, async () => {
  if (skip !== false) return;
  const browser = await ConsoleBrowser.start();

  test('shows root what a tenant and a reseller see, in a tab that ends with it', async () => {
    await using site = await browser.open();
    site.stage.tick(Date.now(), { [uids.alice]: 0.5 });
    const view = await site.login(0, '/tenants/alice');
    view.expected.push(/status of (?:400|500|503)/);
    await press(view, 'Open as alice…');
    await view.shows('It can change nothing', 'dialog');
    await view.check('open-as');
    const opened = view.page.context().waitForEvent('page');
    await view.page.getByRole('link', { name: 'Open the page of alice' }).click();
    const tab = await opened;
    await tab.waitForSelector('.account summary');
    assert.match(await tab.innerText('.account summary'), /as alice/);
    assert.doesNotMatch(await tab.innerText('nav'), /Tenants|Policy/);
    assert.equal(await tab.evaluate(() => location.hash.includes('code')), false);
    // The session of root is still root's, and a new tab asks it and not the view.
    assert.match(await view.text('.account summary'), /root/);
    // The next question writes what waits, if another process had the lock of the record.
    const last = await eventually('it is recorded', async () => {
      const logins = await ask(site.stage.control, '/v1/console/logins');
      const [latest] = logins.json<ConsoleLoginsResponse>().logins;
      return latest?.user === 'root' ? undefined : latest;
    });
    assert.deepEqual(
      [last.kind, last.user, last.by, last.readOnly],
      ['began', 'alice', 'root', true],
    );
    await view.page.click('.account summary');
    await press(view, 'Log out');
    await view.page.waitForSelector(loggedOut);
    await tab.reload();
    await tab.waitForSelector(loggedOut);
    assert.doesNotMatch(await tab.innerText('body'), /alice/);
  });

  test('is not offered to tenants, nor to those who only read', async () => {
    await using site = await browser.open();
    const reseller = await site.login(uids.acme, '/tenants/alice');
    reseller.expected.push(/status of (?:400|500|503)/);
    await reseller.shows('Open as alice…');
    const tenant = await site.login(uids.bob, '/');
    tenant.expected.push(/status of (?:400|500|503)/);
    await tenant.shows('bob', '.account summary');
    assert.doesNotMatch(await tenant.text(), /Open as/);
  });
});

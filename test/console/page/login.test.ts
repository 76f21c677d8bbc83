/** How the page comes by a session, keeps it, and loses it; and how it stays connected. */
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { describe, test } from 'node:test';
import { eventually } from '../../../testing/patience.ts';
import { uids } from '../stage.ts';
import { ConsoleBrowser, skip } from './browser.ts';
import { setHidden } from './person.ts';

describe('login', { skip }, async () => {
  if (skip !== false) return;
  const browser = await ConsoleBrowser.start();

  test('a code in the address logs in once, and is in no history', async () => {
    await using site = await browser.open();
    const code = await site.stage.code(0);
    const view = await site.view(`#code=${code}`);
    await view.shows('Live');
    assert.doesNotMatch(view.page.url(), /code/);
    const entries = await view.page.evaluate(() => [
      history.length,
      document.documentElement.outerHTML,
    ]);
    assert.ok(!String(entries[1]).includes(code));
    await view.check('login-done');
    const second = await site.view(`#code=${code}`);
    second.expected.push(/401/);
    await second.shows('The login code is not valid');
    await second.check('login-used-code');
  });

  test('without a session it names the command that gives one', async () => {
    await using site = await browser.open();
    for (const width of [320, 1280] as const) {
      const view = await site.view('', { width, theme: 'dark' });
      await view.shows('bulkhead console login');
      await view.check(`login-${width}`);
    }
    for (const hash of ['#code=short', '#code=', '#%E0%A4%A', '#/../../x?y=%00&y=2#z'])
      await (await site.view(hash)).shows('bulkhead console login');
  });

  test('the session outlasts a reload, and another tab takes it over', async () => {
    await using site = await browser.open();
    const view = await site.login(0, '/tenants?sort=tenant');
    await view.shows('alice', 'table');
    await view.page.reload();
    await view.shows('alice', 'table');
    assert.match(view.page.url(), /#\/tenants\?sort=tenant$/);
    const tab = await view.page.context().newPage();
    await tab.goto(site.url);
    await eventually('the tab is logged in', async () =>
      (await tab.locator('body').innerText()).includes('Live'),
    );
    await tab.close();
    await view.check('login-reloaded');
  });

  test('a session that was ended elsewhere ends the page', async () => {
    await using site = await browser.open();
    const view = await site.login(uids.bob, '/system');
    const other = await site.login(0, '/system');
    await other.shows('bob');
    view.expected.push(/401/);
    await other.page.click('button[aria-label="End the session of bob"]');
    await other.page.click('dialog button.primary');
    await eventually(
      'the session has gone',
      async () => !(await other.text('main')).includes('bob'),
    );
    await view.page.reload();
    await view.shows('Your session has ended.');
    await view.check('login-ended');
    await other.check('more-after-end');
  });

  test('logging out ends the session', async () => {
    await using site = await browser.open();
    const view = await site.login(0);
    await view.shows('Live');
    await view.page.click('.account summary');
    await view.check('account-menu');
    await view.page.click('.account button');
    await view.shows('bulkhead console login');
    assert.equal(site.stage.access.sessions(() => true).length, 0);
    await view.check('logged-out');
  });

  test('it reconnects after a restart of the agent, and shows the tenants of now', async () => {
    await using site = await browser.open();
    site.stage.tick(Date.now(), { [uids.bob]: 0.5 });
    const view = await site.login(0, '/tenants');
    await view.shows('50%', 'table');
    await site.stage.end();
    view.expected.push(/503|ERR_|Failed to load/);
    await view.shows('Reconnecting…', '.live');
    await site.stage.begin();
    site.stage.adopt('<tenant user="bob"/>');
    site.stage.tick(Date.now(), { [uids.bob]: 0.75 });
    await view.shows('75%', 'table');
    await view.shows('Live', '.live');
    await eventually('carol is gone', async () => !(await view.text('table')).includes('carol'));
    await view.check('reconnected');
  });

  test('another code replaces a session only if the person says so', async () => {
    await using site = await browser.open();
    const view = await site.login(0, '/system');
    const { page } = view;
    const sessions = () => site.stage.access.sessions(() => true).map(({ login }) => login.account);
    assert.equal(await view.text('.host'), hostname());
    const offer = async () =>
      page.evaluate((hash) => (location.hash = hash), `#code=${await site.stage.code(uids.bob)}`);
    await offer();
    await view.shows('You are logged in as root', 'dialog');
    await view.shows('Continue as bob?', 'dialog');
    assert.doesNotMatch(page.url(), /code/);
    assert.match(
      await page.evaluate(() => document.activeElement?.textContent ?? ''),
      /^Stay logged in as root$/,
    );
    await view.check('login-other');
    await page.keyboard.press('Enter');
    await eventually('the dialog has gone', async () => (await page.$('dialog')) === null);
    await offer();
    await view.shows('You are logged in as root', 'dialog');
    await page.keyboard.press('Escape');
    await eventually('the dialog has gone', async () => (await page.$('dialog')) === null);
    await eventually(
      'the logins that were refused have ended',
      () => JSON.stringify(sessions().map(({ user }) => user)) === '["root"]',
    );
    // The same with a load of the page, as by a link on another one.
    await page.goto('about:blank');
    const code = await site.stage.code(uids.bob);
    await page.goto(`${site.url}#code=${code}&to=/system`);
    await view.shows('You are logged in as root', 'dialog');
    await page.click('dialog .choices button >> nth=1');
    await view.shows('bob', '.account summary');
    assert.deepEqual(
      sessions()
        .map(({ user }) => user)
        .sort(),
      ['bob', 'root'],
    );
    assert.equal(await view.text('.host'), 'localhost');
    await view.check('login-replaced');
  });

  test('a link that root made for a customer does not take the session of root', async () => {
    await using site = await browser.open();
    const view = await site.login(0, '/system');
    const { page } = view;
    const code = await site.stage.code(0, '?as=bob&embed=1');
    await page.evaluate((hash) => (location.hash = hash), `#code=${code}`);
    await view.shows('You are logged in as root', 'dialog');
    await page.keyboard.press('Enter');
    await eventually('the dialog has gone', async () => (await page.$('dialog')) === null);
    assert.match(await view.text('.account summary'), /^root/);
  });

  test('a link in a new tab replaces no session of another account in silence', async () => {
    await using site = await browser.open();
    const users = () =>
      site.stage.access
        .sessions(() => true)
        .map(({ login }) => login.account.user)
        .sort();
    const first = await site.login(0, '/system');
    await first.shows('Live');
    const tabWith = async (code: string) => {
      const tab = await first.tab();
      await tab.page.goto(`${site.url}#code=${code}&to=/system`);
      return tab;
    };
    const stranger = await tabWith(await site.stage.code(uids.bob));
    await stranger.shows('Continue as bob?', 'dialog');
    await stranger.shows('root', '.account summary');
    assert.doesNotMatch(stranger.page.url(), /code/);
    await stranger.check('login-new-tab');
    await stranger.page.keyboard.press('Enter');
    await eventually('only root is left', () => users().join() === 'root');
    await stranger.shows('root', '.account summary');
    // A session may have two streams, and each tab has one.
    await stranger.page.close();
    // A used code changes nothing, and says so.
    const used = await site.stage.code(uids.bob);
    await site.view(`#code=${used}`);
    await eventually('bob is logged in elsewhere', () => users().join() === 'bob,root');
    const late = await tabWith(used);
    late.expected.push(/401/);
    await late.shows('The login code is not valid', 'dialog');
    await late.check('login-new-tab-used');
    await late.page.keyboard.press('Escape');
    await late.shows('root', '.account summary');
    await late.page.close();
    // The same account needs no question.
    const same = await tabWith(await site.stage.code(0));
    await same.shows('Live', '.live');
    assert.equal(await same.page.locator('dialog').count(), 0);
    // Whoever says so continues as the other, in that tab only.
    const taken = await tabWith(await site.stage.code(uids.alice));
    await taken.page.getByRole('button', { name: 'Continue as alice' }).click();
    await taken.shows('alice', '.account summary');
    await taken.page.reload();
    await taken.shows('alice', '.account summary');
    await first.page.reload();
    await first.shows('root', '.account summary');
    await first.check('login-first-tab');
  });

  test('a tab that is shown again loads the tenants again only if they have changed', async () => {
    await using site = await browser.open();
    site.stage.tick(Date.now(), { [uids.bob]: 0.5 });
    const view = await site.login(0, '/tenants');
    await view.shows('Live', '.live');
    await view.shows('50%', 'table');
    let loads = 0;
    view.page.on('request', (request) => (loads += request.url().includes('/v1/top') ? 1 : 0));
    await setHidden(view, true);
    await view.shows('Paused', '.live');
    site.stage.tick(Date.now(), { [uids.bob]: 0.75 });
    await setHidden(view, false);
    await view.shows('Live', '.live');
    await view.shows('75%', 'table');
    assert.equal(loads, 0);
    await setHidden(view, true);
    await view.shows('Paused', '.live');
    site.stage.adopt('<tenant user="bob"/>');
    site.stage.tick(Date.now(), { [uids.bob]: 0.25 });
    await setHidden(view, false);
    await eventually('carol is gone', async () => !(await view.text('table')).includes('carol'));
    assert.equal(loads, 1);
    await view.check('shown-again');
  });
});

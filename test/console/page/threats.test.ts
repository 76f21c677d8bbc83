/** Threats to the console that only a browser can show; docs/console.md lists them all. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { eventually } from '../../../testing/patience.ts';
import { Stage, uids } from '../stage.ts';
import { ConsoleBrowser, skip } from './browser.ts';

/** A tenant's web server, on another port of the name that the console has. */
class OtherSite implements AsyncDisposable {
  readonly received: IncomingMessage[] = [];
  readonly #server: Server;
  html = '<!doctype html><title>other</title>';

  private constructor() {
    this.#server = createServer((request, response) => {
      this.received.push(request);
      response.writeHead(200, { 'content-type': 'text/html' }).end(this.html);
    });
  }

  static async start(): Promise<OtherSite> {
    const site = new OtherSite();
    await new Promise<void>((resolve) => site.#server.listen(0, '127.0.0.1', resolve));
    return site;
  }

  get origin(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe('threats', { skip }, async () => {
  if (skip !== false) return;
  const browser = await ConsoleBrowser.start();

  test('T4: another port of the same name gets nothing of the session', async () => {
    await using site = await browser.open();
    await using other = await OtherSite.start();
    const view = await site.login(0);
    await view.shows('Live');
    const attacker = await view.page.context().newPage();
    await attacker.goto(other.origin);
    const seen = await attacker.evaluate(async () => {
      const heard: unknown[] = [];
      Object.assign(globalThis, { heard });
      const channel = new BroadcastChannel('bulkhead-console');
      channel.addEventListener('message', ({ data }) => heard.push(data));
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin
      channel.postMessage('who has a session?');
      return [document.cookie, sessionStorage.length, localStorage.length, await caches.keys()];
    });
    assert.deepEqual(seen, ['', 0, 0, []]);
    // A tab of the console asks later, and is answered.
    const tab = await view.page.context().newPage();
    await tab.goto(site.url);
    await eventually('the tab is logged in', async () =>
      (await tab.locator('body').innerText()).includes('Live'),
    );
    assert.deepEqual(await attacker.evaluate('heard'), []);
    assert.ok(other.received.length > 0);
    for (const { headers } of other.received)
      assert.deepEqual([headers.cookie, headers.authorization], [undefined, undefined]);
    await view.check('threats-other-port');
  });

  test('T5: a page of the same site can neither ask nor read', async () => {
    await using site = await browser.open();
    await using other = await OtherSite.start();
    const view = await site.login(0);
    await view.shows('Live');
    const attacker = await view.page.context().newPage();
    await attacker.goto(other.origin);
    const statuses: number[] = [];
    attacker.on('response', (response) => {
      if (response.url().includes('/v1/')) statuses.push(response.status());
    });
    const read = await attacker.evaluate(async (url) => {
      const tried = (path: string, init: RequestInit) =>
        fetch(`${url}${path}`, { credentials: 'include', ...init }).then(
          ({ type }) => type,
          () => 'refused',
        );
      const body = '{}';
      return Promise.all([
        tried('v1/console/session', {}),
        tried('v1/console/session', { mode: 'no-cors' }),
        tried('v1/console/end?all=1', { method: 'POST', mode: 'no-cors', body }),
        tried('v1/policy', { method: 'PUT', body }),
        tried('', { mode: 'no-cors' }),
      ]);
    }, site.url);
    assert.deepEqual(new Set(read), new Set(['refused']));
    await attacker.evaluate((url) => {
      const form = document.createElement('form');
      form.method = 'post';
      form.action = `${url}v1/console/end?all=1`;
      document.body.append(form);
      form.submit();
    }, site.url);
    await eventually('the form was sent', () => attacker.url().startsWith(site.url));
    for (const status of statuses) assert.ok(status >= 400 && status < 500, String(statuses));
    assert.equal(site.stage.access.sessions(() => true).length, 1);
    // A window that it opens has no way back to it, nor it to the window.
    await attacker.goto(other.origin);
    const opening = attacker.context().waitForEvent('page');
    await attacker.evaluate((url) => {
      Object.assign(globalThis, { opened: open(url) });
    }, site.url);
    const opened = await opening;
    await eventually('it is logged in', async () =>
      (await opened.locator('body').innerText()).includes('Live'),
    );
    assert.equal(await opened.evaluate('window.opener'), null);
    assert.equal(await attacker.evaluate('opened.closed'), true);
    await view.check('threats-same-site');
  });

  test('T6: only a panel that the policy names can frame it, with a login of its own', async () => {
    await using site = await browser.open();
    await using panel = await OtherSite.start();
    const administrator = await site.login(0);
    await administrator.shows('Live');
    const context = administrator.page.context();
    const framed = async (hash: string) => {
      panel.html = `<!doctype html><iframe src="${site.url}${hash}"></iframe>`;
      const shown = await context.newPage();
      await shown.goto(panel.origin);
      return shown;
    };
    const embed = async () => `#code=${await site.stage.code(uids.bob, '?embed=1')}&to=/?embed=1`;
    const before = site.stage.access.sessions(() => true).length;
    const refused = await framed(await embed());
    await eventually('the frame is refused', () =>
      refused.frames().some((each) => each.url().startsWith('chrome-error:')),
    );
    assert.equal(site.stage.access.sessions(() => true).length, before);
    site.allowFrames([panel.origin]);
    const shown = await framed(await embed());
    const frame = shown.frameLocator('iframe').locator('body');
    await eventually('the frame shows the tenant', async () =>
      (await frame.innerText()).includes('bob'),
    );
    const [session] = site.stage.access.sessions(({ login }) => login.account.uid === uids.bob);
    assert.equal(session?.login.readOnly, true);
    // Without a code it has no session, although the administrator has one in the same browser.
    const without = await framed('');
    const words = without.frameLocator('iframe').locator('body');
    await eventually('the frame has no session', async () =>
      (await words.innerText()).includes('Load it again there'),
    );
    await administrator.check('threats-frame');
  });

  test('T10: hostile names are text', async () => {
    const stage = await Stage.start();
    const name = 'x<img src><b>y';
    const written = name.replaceAll('<', '&lt;').replaceAll('>', '&gt;');
    stage.adopt(
      `<package name="${written}"><cpu limit="50%"/></package><tenant user="bob" package="${written}"/>`,
    );
    await using site = await browser.open(stage);
    const view = await site.login(0, '/tenants');
    await view.shows(name, 'main');
    const address = encodeURIComponent(`${name}\u202e\u001b`);
    view.expected.push(/40[04]/);
    for (const hash of [`#/tenants/${address}`, `#/${address}`, `#/tenants?find=${address}`]) {
      await view.page.evaluate((to) => (location.hash = to), hash);
      await view.page.waitForSelector('main');
      assert.equal(await view.page.locator('img').count(), 0, hash);
    }
    const tried = await view.page.evaluate(() => {
      try {
        document.body.insertAdjacentHTML('beforeend', '<b>x</b>');
        return 'made';
      } catch {
        return 'refused';
      }
    });
    assert.equal(tried, 'refused');
    view.expected.push(/TrustedHTML/);
    await view.check('threats-names');
  });

  test('T11: a code is in no address that is sent, and in no history', async () => {
    await using site = await browser.open();
    const code = await site.stage.code(0);
    const view = await site.view();
    const sent: string[] = [];
    view.page.on('request', (request) => {
      sent.push(request.url().replace(/#.*/, ''), JSON.stringify(request.headers()));
    });
    await view.page.evaluate((hash) => (location.hash = hash), `#code=${code}&to=/tenants`);
    await view.shows('alice', 'table');
    assert.match(view.page.url(), /#\/tenants$/);
    assert.ok(sent.length > 0);
    assert.ok(sent.every((each) => !each.includes(code)));
    const entries = await view.page.evaluate('navigation.entries().map(({ url }) => url)');
    assert.ok(!JSON.stringify(entries).includes(code));
    const { cookies, origins } = await view.page.context().storageState();
    assert.ok(!JSON.stringify([cookies, origins]).includes(code));
    await view.check('threats-code');
  });
});

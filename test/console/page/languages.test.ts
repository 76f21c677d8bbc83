/** The languages: nothing on the page is outside the catalogue, and longer words fit. */
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { describe, test } from 'node:test';
import { eventually } from '../../../testing/patience.ts';
import { ConsoleBrowser, skip } from './browser.ts';
import { addIncidents, busyTick, hostWith } from './host.ts';

/** Text without an accent that does not come from the catalogue: names, values, commands. */
const data =
  /^(?:t\d{4}|starter|business|agency|acme|root|localhost|[Bb]ulkhead.*|cgroup v2|\/etc\/.*|English|Deutsch|[\d.,:%#\s/]*(?:(?:[KMGT]i)?B(?:\/s)?)?|0\.1\.0|.*\d{4}, \d\d:\d\d:\d\d|[\d.]+ \w+(?: \d+ \w+)?|[●↓↑·✕◆◐○()]*|starter · acme|business · acme|agency · acme|\w+ \d+, \d\d:\d\d|(?:t\d{4}(?:, )?)+)$/;

describe('languages', { skip }, async () => {
  if (skip !== false) return;
  const pseudo = await ConsoleBrowser.start(true);
  const browser = await ConsoleBrowser.start();

  test('each message is in the catalogue, and longer ones fit', async () => {
    await using site = await pseudo.open(await hostWith(30));
    busyTick(site.stage, 30);
    addIncidents(site.stage);
    for (const route of ['/', '/tenants', '/tenants?search=nobody', '/incidents', '/system'])
      for (const width of [320, 1280] as const) {
        const view = await site.login(0, route, { width });
        await view.shows('Lívé');
        await eventually('all has loaded', async () => !(await view.text()).includes('Lóádíñg'));
        const texts = await view.page.evaluate(() => {
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          const found: string[] = [];
          while (walker.nextNode() !== null) {
            const { parentElement, textContent } = walker.currentNode;
            const isShown = (parentElement?.closest('noscript, script') ?? null) === null;
            if (isShown) found.push(textContent ?? '');
          }
          return found.map((each) => each.trim()).filter((each) => each !== '');
        });
        const plain = texts.filter(
          (each) => !/[áéíóúÁÉÍÓÚñç~]/.test(each) && !data.test(each) && each !== hostname(),
        );
        assert.deepEqual([...new Set(plain)], [], `${route}: text outside the catalogue`);
        await view.check(`pseudo-${route.replaceAll(/\W/g, '_')}-${width}`);
        await view.close();
      }
  });

  test('German is chosen by the browser, and by hand', async () => {
    await using site = await browser.open(await hostWith(3));
    const view = await site.login(0, '/', { language: 'de-AT' });
    await view.shows('Alle Grenzen werden durchgesetzt.');
    assert.equal(await view.page.getAttribute('html', 'lang'), 'de');
    await view.check('german');
    await view.page.click('.account summary');
    await view.page.selectOption('.account select >> nth=1', 'en');
    await view.shows('All limits are enforced.');
    assert.equal(await view.page.getAttribute('html', 'lang'), 'en');
  });

  test('German comes with each part, and only to those who read it', async () => {
    await using site = await browser.open(await hostWith(3));
    const english = await site.login(0, '/tenants');
    await english.shows('t0001', 'table');
    const loaded = () =>
      english.page.evaluate(() =>
        performance
          .getEntriesByType('resource')
          .map(({ name }) => new URL(name).pathname)
          .filter((name) => /^\/(?:de|host)-/.test(name)),
      );
    assert.deepEqual(await loaded(), []);
    await english.page.click('.account summary');
    await english.page.selectOption('.account select >> nth=1', 'de');
    await english.shows('Kunde', 'table');
    assert.equal((await loaded()).length, 2);
    const german = await site.login(0, '/protection', { language: 'de' });
    await german.shows('Schutz', 'h1');
    await eventually('the part has loaded', async () => !(await german.text()).includes('Lädt'));
    await german.check('german-part');
  });

  test('a language that does not come leaves the page as it is, and says so', async () => {
    await using site = await browser.open(await hostWith(3));
    const view = await site.login(0, '/');
    await view.shows('All limits are enforced.');
    await view.page.route(/\/de-/, (route) => route.abort());
    view.expected.push(/ERR_FAILED/);
    await view.page.click('.account summary');
    await view.page.selectOption('.account select >> nth=1', 'de');
    await view.shows('Deutsch could not be loaded', '.account');
    assert.equal(await view.page.inputValue('.account select >> nth=1'), 'en');
    assert.equal(await view.page.getAttribute('html', 'lang'), 'en');
    await view.shows('All limits are enforced.');
    await view.check('language-failed');
    await view.page.unroute(/\/de-/);
    await view.page.reload();
    await view.shows('All limits are enforced.');
    await view.page.click('.account summary');
    await view.page.selectOption('.account select >> nth=1', 'de');
    await view.shows('Alle Grenzen werden durchgesetzt.');
  });
});

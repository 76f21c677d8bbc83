/** The overview and the navigation say how many incidents and differences there are, and when nobody knows. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { keepReport, forgetReport } from '../../../src/host/kept-reports.ts';
import { tenantMember } from '../../../src/usage/member.ts';
import { ConsoleBrowser, skip } from './browser.ts';
import { addIncidents, busyTick, firstUid, hostWith } from './host.ts';

describe('overview', { skip }, async () => {
  if (skip !== false) return;
  const browser = await ConsoleBrowser.start();

  test('the navigation counts what was refused or ended, and never calls the unknown 0', async () => {
    await using site = await browser.open(await hostWith(9));
    busyTick(site.stage, 9);
    addIncidents(site.stage);
    for (const width of [320, 1280] as const) {
      const view = await site.login(0, '/', { width, theme: width === 320 ? 'dark' : 'light' });
      await view.shows('2', 'nav .count');
      const label = await view.page.getAttribute('nav .count', 'aria-label');
      assert.equal(label, '2 refused or ended in 24 hours');
      await view.check(`navigation-${width}`);
      await view.close();
    }
    const view = await site.login(0, '/');
    view.expected.push(/ERR_FAILED/);
    await view.page.route(/v1\/incidents/, (route) => route.abort());
    await view.page.reload();
    await view.shows('?', 'nav .count');
    const label = await view.page.getAttribute('nav .count', 'aria-label');
    assert.equal(label, 'unknown');
  });

  test("a reseller's counts leave out what rules only watched", async () => {
    await using site = await browser.open(await hostWith(20));
    const { stage } = site;
    busyTick(stage, 20);
    // A reseller sees what began since the tenants are its own.
    const at = Date.now();
    for (const limit of ['cpu.limit', 'reach.mail', 'listen.public'] as const) {
      const opened = stage.events.open({
        member: tenantMember(firstUid),
        name: 't0000',
        limit,
        severity: 'throttled',
        inferred: false,
        begin: at,
        end: at,
        faults: 7,
        value: '',
        from: '',
      });
      assert.ok(opened.ok);
    }
    const view = await site.login(4000, '/');
    await view.shows('1 slowed');
    await view.check('reseller-watched');
    await view.close();
  });

  test('differences from the policy are shown with their time, and as not checked before', async () => {
    await using site = await browser.open(await hostWith(9));
    const { stage } = site;
    // A host that uses Bulkhead has it.
    mkdirSync(stage.paths.state, { recursive: true });
    const view = await site.login(0, '/');
    await view.shows('Drift: not checked yet.');
    await view.shows('All limits are enforced.');
    await view.check('drift-unknown');
    const lines = ['t0001: memory.max is 2 GiB, the policy requires 1 GiB', 'x'.repeat(300)];
    const kept = keepReport(stage.paths, 'verify', { differences: 2, lines });
    assert.ok(kept.ok);
    for (const [width, theme] of [
      [320, 'dark'],
      [1280, 'light'],
    ] as const) {
      const other = await site.login(0, '/', { width, theme });
      await other.shows(/2 differences from the policy \(\d\d:\d\d\)/);
      await other.shows('Not everything is enforced.');
      await other.shows('the policy requires 1 GiB');
      await other.check(`drift-${width}`);
      await other.close();
    }
    assert.ok(keepReport(stage.paths, 'verify', { differences: 0, lines: [] }).ok);
    const good = await site.login(0, '/', { language: 'de' });
    await good.shows(/Keine Abweichung \(\d\d:\d\d\)/);
    await good.shows('Alle Grenzen werden durchgesetzt.');
    forgetReport(stage.paths, 'verify');
    await good.page.reload();
    await good.shows('Abweichungen: noch nicht geprüft.');
  });
});

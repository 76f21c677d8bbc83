/** The policy through the page: planned, written, applied and undone, by a whole agent on the kernel of this machine. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hostHere } from '../../conformance/host-here.ts';
import { ConsoleBrowser, skip as noBrowser, type View } from './browser.ts';
import { PolicyAgent, uids } from './policy-agent.ts';

const here = hostHere('bulkhead-policy-page');
const skip = 'skip' in here ? here.skip : noBrowser;

const button = (view: View, name: string) =>
  view.page.getByRole('button', { name, exact: true }).click({ timeout: 0 });

describe('policy', { skip }, async () => {
  if ('skip' in here || noBrowser !== false) return;
  const browser = await ConsoleBrowser.start();
  const open = async () => browser.openFor(await PolicyAgent.start(here.host));

  test('changes a tenant by keyboard alone, and undoes it', async () => {
    await using site = await open();
    const view = await site.login(0, '/policy');
    await view.shows('Tenants with values of their own');
    await view.check('policy-forms');
    const name = `Change uid ${uids.alice}…`;
    await view.page.getByRole('button', { name }).focus({ timeout: 0 });
    await view.page.keyboard.press('Enter');
    await view.shows('its own value in line', 'dialog');
    await view.check('policy-dialog');
    const cpu = view.page.getByLabel('CPU', { exact: true });
    await cpu.focus({ timeout: 0 });
    await view.page.keyboard.press('Control+A');
    await view.page.keyboard.type('12');
    await view.shows('write "12%" or "12 cores"', 'dialog');
    await view.check('policy-dialog-wrong');
    await view.page.keyboard.type('0%');
    await view.page.keyboard.press('Enter');
    await view.shows('What would change', 'dialog');
    await view.shows('cpu.', 'dialog');
    await view.check('policy-plan');
    assert.match(site.stage.text, /80%/);
    // The focus is on the heading of the plan: the way to its button is short.
    for (let at = 0; at < 12; at++) {
      const text = await view.page.evaluate(() => document.activeElement?.textContent);
      if (text === 'Write and apply') break;
      await view.page.keyboard.press('Tab');
    }
    await view.page.keyboard.press('Enter');
    await view.shows('The change is in force.', 'dialog');
    await view.check('policy-done');
    assert.match(site.stage.text, /<cpu limit="120%"\/><\/tenant> <!-- alice -->/);
    await button(view, 'Undo…');
    await view.shows('What would change', 'dialog');
    await button(view, 'Write and apply');
    await view.shows('The change is in force.', 'dialog');
    assert.match(site.stage.text, /<cpu limit="80%"\/><\/tenant> <!-- alice -->/);
    await view.page.keyboard.press('Escape');
    await view.page.evaluate(() => (location.hash = '#/policy?view=changes'));
    await view.shows('Change 2');
    await view.page.locator('summary', { hasText: 'Lines of change 2' }).click({ timeout: 0 });
    await view.shows('80%', '.diff');
    await view.check('policy-changes');
  });
});

/** A change through the page by keyboard alone, with a whole agent on the kernel of this machine. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../../../testing/patience.ts';
import { hostHere } from '../../conformance/host-here.ts';
import { ConsoleBrowser, skip as noBrowser, type View } from './browser.ts';
import { PolicyAgent, uids } from './policy-agent.ts';

const here = hostHere('bulkhead-policy-page');
const skip = 'skip' in here ? here.skip : noBrowser;

/** Goes on by Tab until the focus is on something with this text. */
async function tabTo(view: View, text: string): Promise<void> {
  for (let at = 0; at < 20; at++) {
    if ((await view.page.evaluate(() => document.activeElement?.textContent)) === text) return;
    await view.page.keyboard.press('Tab');
  }
  assert.fail(`Tab does not reach "${text}"`);
}

describe('policy on a kernel', { skip }, async () => {
  if ('skip' in here || noBrowser !== false) return;
  const browser = await ConsoleBrowser.start();

  test('changes a tenant by keyboard alone, and undoes it', async () => {
    await using site = await browser.openFor(await PolicyAgent.start(here.host));
    const view = await site.login(0, '/policy');
    await view.shows('Tenants with values of their own');
    await view.check('policy-forms');
    await tabTo(view, 'Skip to the content');
    await view.page.getByRole('button', { name: `Change uid ${uids.alice}…` }).focus();
    await view.page.keyboard.press('Enter');
    await view.shows('its own value in line', 'dialog');
    await view.check('policy-dialog');
    await view.page.getByLabel('CPU', { exact: true }).focus();
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
    await tabTo(view, 'Write and apply');
    await view.page.keyboard.press('Enter');
    await view.shows('The change is in force.', 'dialog');
    await view.check('policy-done');
    assert.match(site.stage.text, /<cpu limit="120%"\/><\/tenant> <!-- alice -->/);
    await tabTo(view, 'Undo…');
    await view.page.keyboard.press('Enter');
    await view.shows('What would change', 'dialog');
    await tabTo(view, 'Write and apply');
    await view.page.keyboard.press('Enter');
    await view.shows('The change is in force.', 'dialog');
    assert.match(site.stage.text, /<cpu limit="80%"\/><\/tenant> <!-- alice -->/);
    await view.page.keyboard.press('Escape');
    const dialogs = () => view.page.locator('dialog').count();
    await eventually('Escape closes the dialog', async () => (await dialogs()) === 0);
    await view.page.evaluate(() => (location.hash = '#/policy?view=changes'));
    await view.shows('Change 2');
    await view.page.locator('summary', { hasText: 'Lines of change 2' }).click();
    await view.shows('80%', '.diff');
    await view.check('policy-changes');
  });

  test('says what is not known: advice and what-if without a history', async () => {
    await using site = await browser.openFor(await PolicyAgent.start(here.host));
    const view = await site.login(0, '/policy?view=advice');
    await view.shows(/Nothing was measured|No limit deserves/);
    await view.check('policy-advice');
    await view.page.evaluate(() => (location.hash = '#/policy/what-if'));
    await view.shows('Limits of');
    await view.check('policy-what-if');
    await view.page.getByLabel('CPU', { exact: true }).fill('10%');
    await view.page.getByRole('button', { name: 'Replay' }).click();
    await view.shows('What would have happened');
    await view.check('policy-what-if-result');
    const phone = await site.login(0, '/policy/what-if', { width: 320, theme: 'dark' });
    await phone.shows('Limits of');
    await phone.check('policy-what-if-320');
  });
});

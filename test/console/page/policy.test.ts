/** The policy through the page: planned, written, kept and undone, by several at once and by hostile names. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Stage, uids } from '../stage.ts';
import { ConsoleBrowser, skip } from './browser.ts';
import { fill, press, textOf } from './policy-page.ts';

const body = `
  <!-- kept -->
  <defaults><cpu limit="100%"/><memory limit="64MiB"/></defaults>
  <package name="small"><cpu limit="50%"/></package>
  <package name="R&amp;D &lt;b&gt; (big)"><cpu limit="400%"/></package>
  <tenant user="alice"><cpu limit="80%"/></tenant> <!-- alice -->
  <tenant user="bob" package="small"/>
  <reseller user="acme" may="limits"><cpu limit="200%"/><tenant user="carol"/></reseller>
`;

describe('policy', { skip }, async () => {
  if (skip !== false) return;
  const browser = await ConsoleBrowser.start();
  const open = async () => {
    const stage = await Stage.start();
    stage.adopt(body);
    return browser.open(stage);
  };

  test('plans the same edits again if somebody else was faster, before the plan and after it', async () => {
    await using site = await open();
    const view = await site.login(0, '/policy');
    view.expected.push(/412/);
    await press(view, 'Change small…');
    await view.shows('Empty field'.toLowerCase(), 'dialog');
    await fill(view, 'CPU', '60%');
    const first = body.replace('80%', '81%');
    site.stage.adopt(first);
    await press(view, 'See what would change');
    await view.shows('Somebody changed the file meanwhile', 'dialog');
    await view.check('policy-other-text');
    site.stage.adopt(first.replace('200%', '210%'));
    await press(view, 'Write and apply');
    await view.shows('From line', 'dialog');
    await view.shows('Somebody changed the file meanwhile', 'dialog');
    assert.doesNotMatch(textOf(site.stage), /60%/);
    await press(view, 'Write and apply');
    await view.shows('The change is in force.', 'dialog');
    for (const value of ['81%', '210%', '60%'])
      assert.ok(textOf(site.stage).includes(value), value);
  });

  test('lets a change of the defaults go back, and keeps it', async () => {
    await using site = await open();
    const view = await site.login(0, '/policy', { theme: 'dark' });
    await view.check('policy-forms-dark');
    await press(view, 'Change Defaults…');
    await fill(view, 'CPU', '90%');
    await press(view, 'See what would change');
    await view.shows('Go back automatically', 'dialog');
    await view.page.getByRole('checkbox').check();
    await view.check('policy-plan-dark');
    await press(view, 'Write and apply');
    await view.shows('unless you keep it', 'dialog');
    await view.page.keyboard.press('Escape');
    await view.shows(/goes back in 9 min/, '.pending');
    await view.check('policy-pending-dark');
    await view.page.evaluate(() => (location.hash = '#/tenants'));
    await view.shows(/goes back in/, '.pending');
    await press(view, 'Keep it');
    await view.page.waitForSelector('.pending', { state: 'detached' });
    assert.match(textOf(site.stage), /<defaults><cpu limit="90%"\/>/);
  });

  test('asks for the name before it removes limits, whatever the name is', async () => {
    await using site = await open();
    const view = await site.login(0, '/policy', { width: 390 });
    await view.check('policy-forms-390');
    await press(view, 'Change alice…');
    await view.shows('its own value in line', 'dialog');
    await view.check('policy-dialog-390');
    await press(view, 'Remove its element');
    await view.shows('Write and apply', 'dialog');
    await view.check('policy-plan-390');
    const write = view.page.getByRole('button', { name: 'Write and apply' });
    assert.equal(await write.isDisabled(), true);
    await view.page.locator('.block input').fill('alice');
    await write.click();
    await view.shows('The change is in force.', 'dialog');
    assert.doesNotMatch(textOf(site.stage), /user="alice"/);
    await press(view, 'Done');
    await press(view, 'Change R&D <b> (big)…');
    await view.shows('Limits of package R&D <b> (big)', 'dialog');
    await press(view, 'Remove the package');
    await view.shows('What would change', 'dialog');
    await press(view, 'Write and apply');
    await view.shows('The change is in force.', 'dialog');
    assert.doesNotMatch(textOf(site.stage), /big/);
  });

  test('shows mistakes of the text as one types, and writes it by the same plan', async () => {
    await using site = await open();
    const view = await site.login(0, '/policy?view=text');
    const editor = view.page.getByLabel('Text of the policy');
    await view.shows('No mistakes found.');
    const before = await editor.inputValue();
    await editor.fill(before.replace('80%', '80'));
    await view.shows('write "80%" or "80 cores"');
    await view.check('policy-text-wrong');
    const go = view.page.getByRole('button', { name: 'See what would change' });
    assert.equal(await go.isDisabled(), true);
    await editor.fill(before.replace('80%', '85%'));
    await view.shows('No mistakes found.');
    await go.click();
    await view.shows('What would change', 'dialog');
    await press(view, 'Write and apply');
    await view.shows('The change is in force.', 'dialog');
    assert.equal(textOf(site.stage), before.replace('80%', '85%'));
    await press(view, 'Done');
    for (const width of [320, 768] as const) {
      const other = await site.login(0, '/policy?view=text', { width });
      await other.shows('No mistakes found.');
      const isReadOnly = await other.page.getByLabel('Text of the policy').isEditable();
      assert.equal(isReadOnly, width === 768);
      await other.check(`policy-text-${width}`);
    }
  });

  test('keeps a text that somebody types when the file changes below it', async () => {
    await using site = await open();
    const view = await site.login(0, '/policy?view=text');
    view.expected.push(/412/);
    await view.shows('No mistakes found.');
    const editor = view.page.getByLabel('Text of the policy');
    const before = await editor.inputValue();
    await editor.fill(before.replace('80%', '85%'));
    site.stage.adopt(body.replace('200%', '210%'));
    await view.shows('The file was changed while you were editing');
    assert.equal(await editor.inputValue(), before.replace('80%', '85%'));
    await view.check('policy-text-changed');
    await press(view, 'See what would change');
    await view.shows('The file has another text than the one you began with', 'dialog');
    await view.check('policy-text-conflict');
    await press(view, 'See what my text would change');
    await view.shows('210%', 'dialog .plan');
  });

  test('shows a reseller its part, and lets it change what the policy says', async () => {
    await using site = await open();
    const view = await site.login(uids.acme, '/policy');
    await view.shows('May change: limits.');
    assert.doesNotMatch(await view.text('main'), /Text|Advice|What if|policy\.xml/);
    await view.check('policy-reseller');
    await press(view, 'Change carol…');
    await fill(view, 'CPU', '70%');
    assert.equal(await view.page.getByLabel('Package', { exact: true }).isDisabled(), true);
    await press(view, 'See what would change');
    await view.shows('What would change', 'dialog');
    await view.check('policy-reseller-plan');
    await press(view, 'Write and apply');
    await view.shows('The change is in force.', 'dialog');
    assert.match(textOf(site.stage), /70%/);
  });
});

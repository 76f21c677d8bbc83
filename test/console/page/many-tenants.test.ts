/** Several tenants at once: one plan for all that are ticked, and the table as a file for a spreadsheet. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Stage, uids } from '../stage.ts';
import { ConsoleBrowser, skip, type View } from './browser.ts';
import { busyTick, firstUid, hostWith } from './host.ts';
import { fill, press, textOf } from './policy-page.ts';

const body = `
  <package name="small"><cpu limit="50%"/></package>
  <tenant user="alice"><cpu limit="80%"/></tenant>
  <tenant user="bob" package="small"/>
  <reseller user="acme" may="limits"><tenant user="carol"/></reseller>
`;

const tick = (view: View, name: string) => view.page.getByLabel(name).check();

describe('several tenants', { skip }, async () => {
  if (skip !== false) return;
  const browser = await ConsoleBrowser.start();
  const open = async () => {
    const stage = await Stage.start();
    stage.adopt(body);
    return browser.open(stage);
  };

  test('get a package and a limit, each by one plan', async () => {
    await using site = await open();
    const view = await site.login(0, '/tenants');
    await tick(view, 'Choose alice');
    await tick(view, 'Choose bob');
    await view.shows('2 chosen', '.chosen');
    await view.page.fill('.search', 'alice');
    await view.shows('1 of them not shown', '.chosen');
    await view.check('tenants-chosen');
    await press(view, 'Give a package…');
    await view.shows('Package of 2 tenants', 'dialog');
    await view.shows('1 tenant has limits of their own', 'dialog');
    await view.check('tenants-package');
    await press(view, 'See what would change');
    await view.shows('1 tenant is affected', 'dialog');
    await press(view, 'Back');
    await view.page.getByLabel('Package', { exact: true }).selectOption('small');
    await press(view, 'See what would change');
    await view.shows('alice', 'dialog .plan');
    await view.check('tenants-package-plan');
    await press(view, 'Write and apply');
    await view.shows('The change is in force.', 'dialog');
    assert.match(textOf(site.stage), /user="alice" package="small"/);
    await press(view, 'Done');
    await press(view, 'Set a limit…');
    await fill(view, 'Value', '12');
    await view.shows('write "12%" or "12 cores"', 'dialog');
    await view.check('tenants-limit-wrong');
    await fill(view, 'Value', '60%');
    await press(view, 'See what would change');
    await view.shows('2 tenants are affected', 'dialog');
    await press(view, 'Write and apply');
    await view.shows('The change is in force.', 'dialog');
    const written = textOf(site.stage);
    assert.equal(written.match(/<cpu limit="60%"\/>/g)?.length, 2);
  });

  test('stay ticked while the table is renewed, and are at most as many as a plan takes', async () => {
    await using site = await browser.open(await hostWith(120));
    busyTick(site.stage, 120);
    const view = await site.login(0, '/tenants', { width: 320, theme: 'dark' });
    await tick(view, 'Choose t0001');
    await view.shows('1 chosen', '.chosen');
    busyTick(site.stage, 90);
    await view.page.click('thead button >> nth=0');
    await view.shows('1 chosen', '.chosen');
    await view.check('tenants-chosen-320');
    await view.page.mouse.wheel(0, 2000);
    await tick(view, 'Choose all that are shown');
    await view.shows('120 chosen', '.chosen');
    await view.shows('at most 100', '.chosen');
    const give = view.page.getByRole('button', { name: 'Give a package…' });
    assert.equal(await give.isDisabled(), true);
    await press(view, 'Choose none');
    await view.page.waitForSelector('.chosen', { state: 'detached' });
  });

  test('of a reseller take what the policy lets it change', async () => {
    await using site = await open();
    const view = await site.login(uids.acme, '/tenants');
    await tick(view, 'Choose carol');
    await press(view, 'Give a package…');
    await view.shows('The policy lets you change nothing.', 'dialog');
    await view.page.keyboard.press('Escape');
    await press(view, 'Set a limit…');
    await fill(view, 'Value', '70%');
    await press(view, 'See what would change');
    await view.shows('What would change', 'dialog');
    await press(view, 'Write and apply');
    await view.shows('The change is in force.', 'dialog');
    assert.match(textOf(site.stage), /70%/);
  });

  test('become a file in which no name is a formula', async () => {
    const stage = await hostWith(2);
    const hostile = ['=1+1', '+1', '-2', '@SUM(A1)', 'a"b,c;d', '＝1', 'plain'];
    const accounts = hostile.map((name, at) => [name, firstUid + at] as const);
    stage.haveAccounts({ acme: 4000, ...Object.fromEntries(accounts) });
    const limit = '<cpu limit="150%"/>';
    stage.adopt(
      hostile.map((_, at) => `<tenant uid="${firstUid + at}">${limit}</tenant>`).join(''),
    );
    await using site = await browser.open(stage);
    stage.measure(Date.now(), { [firstUid]: { cpu: 0.1234, memory: 2 ** 20, threads: 3 } });
    const view = await site.login(0, '/tenants');
    await view.shows('12%', 'table');
    const awaited = view.page.waitForEvent('download');
    await press(view, 'Download CSV');
    const file = await awaited;
    assert.match(file.suggestedFilename(), /-tenants-\d{4}-\d\d-\d\d\.csv$/);
    const text = readFileSync(await file.path(), 'utf8');
    const lines = text.split('\r\n');
    assert.ok(
      text.startsWith('\u{FEFF}"Tenant","uid","Reseller","Package","Stopped","CPU used (%'),
    );
    assert.ok(lines[1]?.startsWith(`"'=1+1",${firstUid},,,,12.3,150,1049000,,`), String(lines[1]));
    for (const [at, name] of hostile.entries()) {
      const quoted = name.replaceAll('"', '""');
      const start = at < 4 || at === 5 ? `"'${quoted}",` : `"${quoted}",`;
      assert.ok(lines[at + 1]?.startsWith(start), String(lines[at + 1]));
    }
    assert.equal(lines.length, hostile.length + 2);
    await view.page.fill('.search', 'plain');
    const second = view.page.waitForEvent('download');
    await press(view, 'Download CSV');
    const shown = readFileSync(await (await second).path(), 'utf8');
    assert.equal(shown.trim().split('\r\n').length, 2);
    await view.check('tenants-csv');
  });
});

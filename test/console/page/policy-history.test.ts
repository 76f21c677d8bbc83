/** Changes of the policy afterwards: shown, undone, made by two at once, of many tenants, and gone back. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  goingBackFile,
  type GoingBack,
} from '../../../src/agent/policy/goes-back/going-back-file.ts';
import { ask, Stage, uids } from '../stage.ts';
import { ConsoleBrowser, skip, type ConsoleSite } from './browser.ts';
import { Person } from './person.ts';
import { follow, textOf } from './policy-page.ts';
import { tenantHostWithPolicy } from './tenant-host.ts';

const body = `
  <!-- kept -->
  <defaults><cpu limit="100%"/><memory limit="1GiB"/></defaults>
  <package name="small"><cpu limit="50%"/></package>
  <tenant user="alice"><cpu limit="80%"/></tenant> <!-- alice -->
  <tenant user="bob" package="small"/>
  <tenant user="carol"/>
`;
/** Only prevents hanging. */
const timeout = 240_000;

type Site = ConsoleSite<Stage>;

/** Lets a person change the CPU limit of a target by the form on the page of the policy, as far as the plan. */
async function planCpu(person: Person, target: string, value: string): Promise<void> {
  await person.click(`Change ${target}…`);
  await person.fill('CPU', value);
  await person.click('See what would change');
}

async function apply(person: Person): Promise<void> {
  await person.sees('What would change', 'dialog');
  await person.click('Write and apply');
  await person.sees('The change is in force.', 'dialog');
}

async function changeCpu(person: Person, target: string, value: string): Promise<void> {
  await planCpu(person, target, value);
  await apply(person);
  await person.click('Done');
}

describe('history of the policy', { skip }, async () => {
  if (skip !== false) return;
  const browser = await ConsoleBrowser.start();
  const open = async (): Promise<Site> => {
    const stage = await Stage.start();
    stage.haveAccounts({ ...uids, root: 0 });
    stage.adopt(body);
    return browser.open(follow(stage));
  };
  const person = async (site: Site, route: string) => new Person(await site.login(0, route));

  test('an old change shows its lines, and goes without what came later', { timeout }, async () => {
    await using site = await open();
    const before = textOf(site.stage);
    const root = await person(site, '/policy');
    await changeCpu(root, 'alice', '90%');
    await changeCpu(root, 'small', '60%');
    await root.click('Changes');
    const older = root.view.page.locator('li', { hasText: 'tenant "alice": cpu.limit 80% → 90%' });
    await root.click(older.locator('summary'));
    await root.sees(/80%[^]*90%/, '.diff');
    await root.view.check('history-lines');
    await root.click(older.getByRole('button'));
    await root.sees('1 tenant is affected', 'dialog');
    await root.view.check('history-undo');
    await apply(root);
    await root.click('Done');
    assert.equal(textOf(site.stage), before.replace('50%', '60%'));
    await root.sees('tenant "alice": cpu.limit 90% → 80%', 'main li:nth-child(1)');
  });

  test('"Use this" writes the value of the advice, by a plan', { timeout }, async () => {
    await using site = await browser.open(follow(await tenantHostWithPolicy()));
    const root = await person(site, '/policy?view=advice');
    await root.sees(/alice[^]*Use this…/, 'tbody tr:nth-child(1)');
    const row = root.view.page.locator('tbody tr').first();
    const advised = (await row.locator('td').nth(2).innerText()).trim();
    await root.click(row.getByRole('button'));
    await root.sees('Limits of alice', 'dialog');
    assert.equal(await root.view.page.getByLabel('CPU', { exact: true }).inputValue(), advised);
    await root.click('See what would change');
    await apply(root);
    assert.match(textOf(site.stage), new RegExp(`user="alice"[^>]*>[^]*<cpu limit="${advised}"/>`));
  });

  test('what-if of another text shows whom it hurts, and writes nothing', { timeout }, async () => {
    await using site = await browser.open(follow(await tenantHostWithPolicy()));
    const before = textOf(site.stage);
    const root = await person(site, '/policy/what-if');
    await root.sees('Limits of');
    await root.view.page.locator('main select').nth(1).selectOption('text');
    const text = before.replace('<cpu limit="100%"/>', '<cpu limit="20%"/>');
    await root.fill('Text of the policy', text);
    await root.click('Replay');
    await root.sees('What would have happened');
    await root.sees(/alice[^]*100% → 20%[^]*slowed/, '.table table');
    await root.view.check('history-what-if');
    assert.equal(await root.view.page.getByLabel('Text of the policy').inputValue(), text);
    assert.equal(textOf(site.stage), before);
  });

  test(
    'two administrators change a tenant at once: the second one sees it',
    { timeout },
    async () => {
      await using site = await open();
      const [first, second] = [await person(site, '/policy'), await person(site, '/policy')];
      second.view.expected.push(/status of 4(?:09|12)/);
      await second.click('Change alice…');
      await second.fill('CPU', '70%');
      await changeCpu(first, 'alice', '90%');
      await second.click('See what would change');
      await second.sees('Somebody changed the file meanwhile', 'dialog');
      await second.sees(/90%[^]*70%/, 'dialog .diff');
      await second.click('Back');
      const field = second.view.page.getByLabel('CPU', { exact: true });
      assert.equal(await field.inputValue(), '70%');
      await second.click('See what would change');
      await second.sees('What would change', 'dialog');
      // A plan that the agent did not make: as if the host had changed.
      const { page } = second.view;
      await page.route(/v1\/policy$/, async (route) => {
        if (route.request().method() !== 'PUT') return route.continue();
        const sent = route.request().postDataJSON() as object;
        const postData = JSON.stringify({ ...sent, planned: 'a'.repeat(64) });
        return route.continue({ postData });
      });
      await second.click('Write and apply');
      await second.sees('The host changed meanwhile. Nothing was written', 'dialog');
      assert.match(textOf(site.stage), /90%/);
      await second.view.check('history-other-effects');
      await page.unrouteAll();
      await apply(second);
      assert.equal(textOf(site.stage).match(/70%/g)?.length, 1);
      assert.doesNotMatch(textOf(site.stage), /90%/);
    },
  );

  test('two administrators undo the same change: only one of them does', { timeout }, async () => {
    await using site = await open();
    const before = textOf(site.stage);
    const [first, second] = [await person(site, '/policy'), await person(site, '/policy')];
    second.view.expected.push(/status of 4/);
    await changeCpu(first, 'alice', '90%');
    for (const each of [first, second]) {
      await each.click('Changes');
      await each.click(each.view.page.locator('[aria-label^="Undo change"]').first());
      await each.sees('What would change', 'dialog');
    }
    await apply(first);
    await second.click('Write and apply');
    await second.sees(/Nothing would change|another value|changed since/, 'dialog');
    assert.equal(textOf(site.stage), before);
    await second.view.check('history-undone-twice');
  });

  test('a change of many tenants is undone at once', { timeout }, async () => {
    await using site = await open();
    const before = textOf(site.stage);
    const root = await person(site, '/tenants');
    for (const name of ['alice', 'bob', 'carol'])
      await root.click(root.view.page.getByLabel(`Choose ${name}`));
    await root.click('Set a limit…');
    await root.fill('Value', '65%');
    await root.click('See what would change');
    await root.sees('3 tenants are affected', 'dialog');
    await apply(root);
    assert.equal(textOf(site.stage).match(/<cpu limit="65%"\/>/g)?.length, 3);
    await root.click('Undo…');
    await root.sees('3 tenants are affected', 'dialog');
    await root.view.check('history-undo-many');
    await apply(root);
    assert.equal(textOf(site.stage), before);
    await root.click('Done');
    await root.sees('3 chosen', '.chosen');
  });

  test('a change that nobody keeps goes back, and the pages say so', { timeout }, async () => {
    await using site = await open();
    const before = textOf(site.stage);
    const [root, other] = [await person(site, '/policy'), await person(site, '/policy')];
    await planCpu(root, 'Defaults', '90%');
    await root.sees('Go back automatically', 'dialog');
    await root.click(root.view.page.getByRole('checkbox'));
    await root.view.page.getByLabel('Time until it goes back').selectOption('1');
    await apply(root);
    await root.sees(/It goes back in .* unless you keep it/, 'dialog');
    await root.click('Done');
    await root.sees(/The change of root goes back in/, '.pending');
    await other.sees(/The change of root goes back in/, '.pending');
    assert.match(textOf(site.stage), /<defaults><cpu limit="90%"/);
    await endTime(site);
    await root.until('the text before is there', async () => textOf(site.stage) === before);
    await root.misses('.pending');
    await root.sees('CPU\n100%', '.card');
    await root.click('Changes');
    await root.sees('automatically, since nobody kept it', 'main li:nth-child(1)');
    await root.view.check('history-gone-back');
    await other.misses('.pending');
  });
});

/** Ends the time after which a change goes back, and has the agent look: it does at any question to keep one. */
async function endTime({ stage }: Site): Promise<void> {
  const file = goingBackFile(stage.paths);
  const entries = JSON.parse(readFileSync(file, 'utf8')) as readonly GoingBack[];
  writeFileSync(file, JSON.stringify(entries.map((each) => ({ ...each, at: 0 }))));
  const text = JSON.stringify({ change: 1e9 });
  const headers = { 'content-type': 'application/json', 'content-length': `${text.length}` };
  const reply = await ask(stage.control, '/v1/policy/keep', {
    method: 'POST',
    headers,
    body: text,
  });
  assert.equal(reply.status, 409, reply.text);
}

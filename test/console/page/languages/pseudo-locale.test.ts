/**
 * Pages in the language for tests: a text is translated, is a name or a number, or says by `lang` that it is English.
 * Longer words fit, and axe finds nothing.
 */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { describe, test } from 'node:test';
import { pseudoText } from '../../../../src/console/page/words/pseudo.ts';
import { keepReport } from '../../../../src/host/kept-reports.ts';
import { eventually } from '../../../../testing/patience.ts';
import { Stage, uids } from '../../stage.ts';
import { ConsoleBrowser, skip, type ConsoleSite, type View, type Width } from '../browser.ts';
import { memberHost, tellHosts } from '../fleet-host.ts';
import { addIncidents, busyTick, hostWith } from '../host.ts';
import { bounded, plainTexts } from './plain-text.ts';
import { idOf, tenantHost } from '../tenant-host.ts';
import { ladder, policy, proof, scan, troubled } from './troubled-host.ts';

/** Names, numbers, values and signs; files and commands are in elements of their own. */
const data = [
  // Accounts, packages and sites of the hosts of tests, alone or in a list
  /^(?:(?:t\d{4}|alice|bob|carol|acme|root|small|starter|business|agency|shop\.example|R&D <b> \(big\))(?:[,/· ]+|$))+$/,
  /^(?:Bulkhead|English|Deutsch|localhost|cgroup v2|web-\d{4}|melted)$/,
  /^[\w/.]+ · Bulkhead$/,
  // Numbers with units, times, dates and signs
  /^[-–—+−<>≤=×·•…%/:;,.#()[\]●◆◐○✕↓↑→←‹› \d\s]*(?:(?:[KMGT]i)?B(?:\/s)?|%|ms|s|min|h|days?|hrs?|sec)?$/,
  /^(?:\w{3,9} \d+,? ?)?(?:\d{4}, )?\d\d:\d\d(?::\d\d)?$/,
  /^\d+ (?:min|hr|sec|days?)(?: \d+ (?:min|hr|sec))?$/,
  /^(?:\d+ (?:second|minute)s? ago|\?)$/,
  // Values as the policy writes them
  /^(?:unlimited|[\d.]+(?:%|[KMGT]i?B(?:\/s)?)?)(?: → (?:unlimited|[\d.]+(?:%|[KMGT]i?B)?))?$/,
  // Programs and kernel modules
  /^(?:php|php-fpm(?:8\.4)?|mod\d+|evil<b>|linux-image 6\.12\.0|GPL(?:\\0 for nobody)?|0\.1\.0|bulkhead)$/,
];

const isData = (text: string) => text === hostname() || data.some((each) => each.test(text));

interface Address {
  readonly route: string;
  /** A part of what it shows when it has loaded. */
  readonly shows: string;
  readonly width?: Width;
}

async function opened(site: ConsoleSite<Stage>, uid: number, address: Address): Promise<View> {
  const { route, shows, width = 1280 } = address;
  const view = await bounded(`${route} opens`, site.login(uid, route, { width }));
  await settled(view, shows);
  return view;
}

/** Waits until the page has loaded everything. */
async function settled(view: View, shows: string): Promise<void> {
  let text = '';
  const isComplete = async () => {
    text = await view.text();
    return text.includes(shows) && !text.includes('Lóádíñg');
  };
  try {
    await bounded(`the page shows ${shows}`, eventually('it is complete', isComplete));
  } catch (error) {
    throw new Error(`The page shows: ${text.slice(0, 1000)}`, { cause: error });
  }
}

async function assertTranslated(view: View, name: string): Promise<void> {
  const plain = (await bounded(`the texts of ${name}`, plainTexts(view))).filter(
    (each) => !isData(each),
  );
  assert.deepEqual(plain, [], `${name}: text that is neither translated nor marked`);
}

describe('the language for tests', { skip }, async () => {
  if (skip !== false) return;
  const browser = await ConsoleBrowser.start(true);

  const checkOne = async (site: ConsoleSite<Stage>, uid: number, address: Address) => {
    const view = await opened(site, uid, address);
    await assertTranslated(view, `${uid} ${address.route}`);
    await bounded('axe', view.check(`pseudo-${uid}-${address.route.replaceAll(/\W/g, '_')}`));
    await view.close();
  };
  /** Checks all addresses before it fails, and then shows everything that is wrong. */
  const check = async (site: ConsoleSite<Stage>, uid: number, addresses: readonly Address[]) => {
    const problems: string[] = [];
    for (const address of addresses)
      await checkOne(site, uid, address).catch((error: unknown) => {
        problems.push(error instanceof Error ? error.message : String(error));
      });
    assert.deepEqual(problems, []);
  };

  test('a host with many tenants, for root', async () => {
    await using site = await browser.open(await hostWith(30));
    busyTick(site.stage, 30);
    addIncidents(site.stage);
    await check(site, 0, [
      { route: '/', shows: 't0001' },
      { route: '/', shows: 't0001', width: 320 },
      { route: '/tenants', shows: 't0001' },
      { route: '/tenants?group=reseller', shows: 'acme' },
      { route: '/tenants?search=nobody', shows: '~' },
      { route: '/incidents', shows: 't0001' },
      { route: '/system', shows: '0.1.0' },
      { route: '/nowhere', shows: '~' },
    ]);
  });

  test('a host on which much needs attention', async () => {
    const stage = await hostWith(9);
    troubled(stage);
    await using site = await browser.open(stage);
    for (const width of [320, 1280] as const)
      await check(site, 0, [
        { route: '/', shows: pseudoText('lru_gen').slice(0, 7), width },
        { route: '/system', shows: 'no process connector', width },
      ]);
  });

  test('protection and modules', async () => {
    const stage = await Stage.start();
    mkdirSync(stage.paths.state, { recursive: true });
    await using site = await browser.open(stage);
    await check(site, 0, [{ route: '/protection', shows: 'bulkhead prove' }]);
    for (const [name, report] of [
      ['setup-status', ladder],
      ['prove', proof],
      ['modules-scan', scan],
    ] as const)
      assert.ok(keepReport(stage.paths, name, report).ok);
    await check(site, 0, [
      { route: '/protection', shows: 'ptrace' },
      { route: '/protection', shows: 'ptrace', width: 320 },
    ]);
    const view = await opened(site, 0, { route: '/modules', shows: 'evil<b>' });
    await assertTranslated(view, 'modules');
    await bounded('click', view.page.getByRole('button', { name: 'evil<b>' }).click());
    await settled(view, 'The license has a NUL');
    await assertTranslated(view, 'a module');
    await bounded('axe', view.check('pseudo-module'));
  });

  test('the fleet', async () => {
    const stage = await memberHost('unclear');
    tellHosts(stage, 9);
    await using site = await browser.open(stage);
    await check(site, 0, [
      { route: '/fleet', shows: 'web-0000' },
      { route: '/fleet', shows: 'web-0000', width: 320 },
      { route: '/fleet?search=nobody', shows: '~' },
    ]);
    const view = await opened(site, 0, { route: '/fleet', shows: 'web-0000' });
    for (const at of [0, 1, 2]) {
      await bounded('click', view.page.locator('.panel .buttons button').nth(at).click());
      await settled(view, pseudoText('Close'));
      await assertTranslated(view, `dialog ${at}`);
      await bounded('close', view.page.keyboard.press('Escape'));
    }
  });

  test('a tenant and its incidents, for root', async () => {
    const host = await tenantHost();
    await using site = await browser.open(host.stage);
    const incidents = host.incidents.map((_id, at) => ({
      route: `/incidents/${idOf(host, at)}`,
      shows: 'alice',
    }));
    const tenant = { route: '/tenants/alice', shows: 'php' };
    await check(site, 0, [tenant, { ...tenant, width: 320 }, ...incidents]);
  });

  test('the policy, for root and its reseller', async () => {
    const stage = await Stage.start();
    // A host that uses Bulkhead has it, and keeps a record there.
    mkdirSync(stage.paths.state, { recursive: true });
    stage.adopt(policy);
    await using site = await browser.open(stage);
    const views = ['forms', 'text', 'changes'].map((view) => ({
      route: `/policy?view=${view}`,
      shows: '~',
    }));
    await check(site, 0, [...views, { route: '/policy/what-if', shows: '~' }]);
    await check(site, uids.acme, [
      { route: '/policy', shows: 'carol' },
      { route: '/policy?view=changes', shows: '~' },
    ]);
    const view = await opened(site, 0, { route: '/policy', shows: 'alice' });
    const press = (english: string) =>
      bounded(
        english,
        view.page.getByRole('button', { name: pseudoText(english), exact: true }).click(),
      );
    await press('Change alice…');
    await settled(view, '80%');
    await assertTranslated(view, 'form');
    const cpu = view.page.getByLabel(pseudoText('CPU'), { exact: true });
    await bounded('fill', cpu.fill('12'));
    await settled(view, 'write "12%"');
    await assertTranslated(view, 'wrong value');
    await bounded('fill', cpu.fill('120%'));
    await press('See what would change');
    await settled(view, '120%');
    await assertTranslated(view, 'plan');
    await bounded('axe', view.check('pseudo-plan'));
    await press('Write and apply');
    await settled(view, pseudoText('The change is in force.'));
    await assertTranslated(view, 'result');
  });

  test('a page without a login', async () => {
    await using site = await browser.open();
    const view = await bounded('the page opens', site.view());
    await settled(view, '~');
    await assertTranslated(view, 'login');
    await bounded('axe', view.check('pseudo-login'));
  });
});

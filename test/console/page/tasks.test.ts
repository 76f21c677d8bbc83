/** The tasks people come for, and how many clicks and keys each may take from the first page. Typing is not counted. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { latestChanges } from '../../../src/apply/read-changes.ts';
import { keepReport } from '../../../src/host/kept-reports.ts';
import { Stage, uids } from '../stage.ts';
import { ConsoleBrowser, skip, type ConsoleSite } from './browser.ts';
import { goodStatus } from './host.ts';
import { Person } from './person.ts';
import { follow, textOf } from './policy-page.ts';
import { alice, tenantHostWithPolicy } from './tenant-host.ts';

const mebibyte = 2 ** 20;
const hour = 3_600_000;
/** Only prevents hanging. */
const timeout = 240_000;

/** A host on which alice is at its CPU limit now, and ran out of memory some hours ago. */
async function busyHost(): Promise<Stage> {
  const stage = follow(await tenantHostWithPolicy());
  stage.parts = { ...stage.parts, latestChanges: (count) => latestChanges(stage.paths, count) };
  stage.status = goodStatus(2);
  const hit = {
    member: alice,
    limit: 'cpu.limit',
    severity: 'throttled',
    inferred: false,
  } as const;
  const earlier = stage.events.addFaults(Date.now() - 5 * hour, [{ ...hit, count: 3127 }]);
  assert.ok(earlier.ok);
  stage.measure(
    Date.now(),
    {
      [uids.alice]: { cpu: 1, memory: 700 * mebibyte, threads: 41 },
      [uids.bob]: { cpu: 0.1, memory: 90 * mebibyte, threads: 4 },
    },
    [{ ...hit, count: 3 }],
  );
  const reports = { verify: { differences: 0, lines: [] }, 'modules-scan': modules } as const;
  for (const [name, report] of Object.entries(reports))
    assert.ok(keepReport(stage.paths, name as keyof typeof reports, report).ok);
  return stage;
}

const modules = { kernel: '6.12.0', modules: [], unreadable: 0 };

interface Task {
  readonly who: 'root' | 'reseller' | 'tenant';
  readonly task: string;
  readonly clicksMax: number;
  readonly does: (person: Person, site: ConsoleSite<Stage>) => Promise<void>;
}

const uidOf = { root: 0, reseller: uids.acme, tenant: uids.alice } as const;

/** Finds a tenant by its name. */
async function find(person: Person, name: string): Promise<void> {
  await person.sees('Live', '.live');
  // A reseller gets the field when its members are known.
  await person.appears('#find');
  await person.type(`/${name}`);
  await person.sees(name, '#found');
  await person.press('Enter');
}

async function seeWhatRan(person: Person): Promise<void> {
  await find(person, 'alice');
  await person.click(person.view.page.locator('.chart').first().locator('.band').nth(1));
  await person.sees('3,127 times', 'dialog');
}

async function giveMoreCpu(person: Person): Promise<void> {
  await find(person, 'alice');
  await person.click('Change limits…');
  await person.typeInto('CPU', '150%');
  await person.click('See what would change');
  await person.sees('1 tenant is affected', 'dialog');
  await person.click('Write and apply');
  await person.sees('The change is in force.', 'dialog');
}

const tasks: readonly Task[] = [
  {
    who: 'root',
    task: 'is everything all right?',
    clicksMax: 0,
    does: async (person) => {
      await person.sees('All limits are enforced.');
      await person.sees('No process is outside its cgroup.');
      await person.sees('No drift');
    },
  },
  {
    who: 'root',
    task: 'who makes the server slow now?',
    clicksMax: 0,
    does: (person) => person.sees(/alice\s+CPU/, '.at-limit-row'),
  },
  {
    who: 'root',
    task: 'who uses most, by any column?',
    clicksMax: 1,
    does: async (person) => {
      await person.click('All tenants by use');
      await person.sees('alice', 'tbody tr:nth-child(1)');
    },
  },
  {
    who: 'root',
    task: 'which limit did a customer hit hours ago, and what ran?',
    clicksMax: 3,
    does: async (person) => {
      await seeWhatRan(person);
      await person.sees('wp-cron.php', 'dialog');
    },
  },
  {
    who: 'root',
    task: 'give one tenant more CPU for good',
    clicksMax: 4,
    does: async (person, site) => {
      await giveMoreCpu(person);
      assert.match(textOf(site.stage), /user="alice"[^>]*>[^]*150%/);
    },
  },
  {
    who: 'root',
    task: 'change what a package gives, and see whom it affects',
    clicksMax: 4,
    does: async (person, site) => {
      await person.go('Policy');
      await person.click('Change starter…');
      await person.typeInto('CPU', '120%');
      await person.click('See what would change');
      await person.sees(/2 tenants are affected:\s+alice and bob/, 'dialog');
      await person.click('Write and apply');
      await person.sees('The change is in force.', 'dialog');
      assert.match(textOf(site.stage), /<package name="starter">\s*<cpu limit="120%"/);
    },
  },
  {
    who: 'root',
    task: 'who should buy a larger package?',
    clicksMax: 2,
    does: async (person) => {
      await person.go('Policy');
      await person.click('Advice');
      await person.sees(/alice[^]*Use this…/, 'tbody tr:nth-child(1)');
      await person.sees('3,127', 'tbody tr:nth-child(1)');
    },
  },
  {
    who: 'root',
    task: 'what ran out of memory last night, and was ended?',
    clicksMax: 1,
    does: async (person) => {
      await person.go('Incidents');
      await person.sees(/ended[^]*alice[^]*memory 1GiB/, 'tbody tr:nth-child(1)');
    },
  },
  {
    who: 'root',
    task: 'undo what a colleague did',
    clicksMax: 3,
    does: async (person, site) => {
      const before = textOf(site.stage);
      await giveMoreCpu(new Person(await site.login(0, '/')));
      assert.notEqual(textOf(site.stage), before);
      await person.view.page.reload();
      await person.click('All changes');
      await person.click(person.view.page.locator('[aria-label^="Undo change"]').first());
      await person.sees('What would change', 'dialog');
      await person.click('Write and apply');
      await person.sees('The change is in force.', 'dialog');
      assert.equal(textOf(site.stage), before);
    },
  },
  {
    who: 'root',
    task: "did the new kernel's modules pass?",
    clicksMax: 1,
    does: async (person) => {
      await person.go('Modules');
      await person.sees('0 modules of Linux 6.12.0');
    },
  },
  {
    who: 'tenant',
    task: 'why was my site slow, and what can I do?',
    clicksMax: 0,
    does: async (person) => {
      await person.sees(/^Your site ran out of memory once in the last 24 hours/, '.troubles');
      await person.sees('What you can do', '.troubles');
      await person.sees('ask your provider for a higher limit', '.troubles');
    },
  },
  {
    who: 'tenant',
    task: 'which limit did I hit hours ago, and what ran?',
    clicksMax: 3,
    does: async (person) => {
      await person.click(person.view.page.locator('.chart').first().locator('.band').nth(1));
      await person.sees('wp-cron.php', 'dialog');
    },
  },
  {
    who: 'reseller',
    task: 'who of my tenants is at a limit now?',
    clicksMax: 0,
    does: async (person) => {
      await person.sees('CPU of your tenants');
      await person.sees(/alice\s+CPU/, '.at-limit-row');
    },
  },
  {
    who: 'reseller',
    task: 'which limit did a customer hit hours ago, and what ran?',
    clicksMax: 3,
    does: async (person) => {
      await seeWhatRan(person);
      await person.sees('php', 'dialog');
    },
  },
  {
    who: 'reseller',
    task: 'give one tenant more CPU for good',
    clicksMax: 4,
    does: async (person, site) => {
      await giveMoreCpu(person);
      assert.match(textOf(site.stage), /user="alice"[^>]*>[^]*150%/);
    },
  },
];

describe('tasks', { skip }, async () => {
  if (skip !== false) return;
  const browser = await ConsoleBrowser.start();

  for (const { who, task, clicksMax, does } of tasks)
    test(`of ${who}, at most ${clicksMax} clicks: ${task}`, { timeout }, async () => {
      await using site = await browser.open(await busyHost());
      const person = new Person(await site.login(uidOf[who], '/'));
      await does(person, site);
      person.neededAtMost(clicksMax);
      await person.view.check(`task-${who}-${task.replaceAll(/[^a-z]+/gi, '-')}`);
    });
});

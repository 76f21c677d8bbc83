/** Protection and Modules: what the agent knows, and what commands have kept. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type {
  KeptModule,
  LadderReport,
  ModulesReport,
  ProofReport,
} from '../../../src/agent/responses/protection-response.ts';
import { keepReport } from '../../../src/host/kept-reports.ts';
import { Stage } from '../stage.ts';
import { ConsoleBrowser, skip } from './browser.ts';

const ladder: LadderReport = {
  level: 'limit',
  layers: [
    { key: 'limit cpu', state: 'enforced', reason: 'cpu.max' },
    {
      key: 'entry cron',
      state: 'open',
      reason: 'jobs start outside',
      improve: 'bulkhead pam enable',
    },
    { key: 'symlinks guard', state: 'watched', reason: 'it only watches', reported: 3, mark: '3' },
    {
      key: 'modules gate',
      state: 'unavailable',
      reason: 'the kernel has no BPF LSM',
      boot: 'needed',
    },
  ],
  slippedBack: ['entry cron'],
};
const proof: ProofReport = {
  kernel: '6.12.0',
  entries: [
    {
      attack: 'memory-hog',
      summary: 'allocate more memory than allowed',
      verdict: 'blocked',
      detail: 'ended at 64 MiB',
      demanded: true,
      remedy: '',
    },
    {
      attack: 'ptrace',
      summary: 'read another tenant <script>',
      verdict: 'not blocked',
      detail: 'it read the memory',
      demanded: true,
      remedy: 'bulkhead harden enable',
    },
  ],
  broken: ['ptrace'],
};
const module = (name: string, more: Partial<KeptModule>): KeptModule => ({
  name,
  file: `/lib/modules/6.12.0/${name}.ko`,
  package: 'linux-image 6.12.0',
  license: 'GPL',
  verdict: 'load',
  reasons: [],
  taints: '',
  trustLevel: 'signed',
  evidence: [],
  accepted: null,
  deniedReason: null,
  isLoaded: true,
  ...more,
});
const scan: ModulesReport = {
  kernel: '6.12.0',
  modules: [
    ...Array.from({ length: 200 }, (_, at) => module(`mod${at}`, {})),
    module('evil<b>', {
      trustLevel: 'contradicted',
      license: 'GPL\\0 for nobody',
      package: null,
      verdict: 'refuse',
      reasons: ['its signature is not valid'],
      taints: 'OE',
      accepted: false,
      isLoaded: null,
      evidence: [{ check: 'license-nul', weight: 'proof', message: 'The license has a NUL' }],
    }),
  ],
  unreadable: 1,
};

describe('protection', { skip }, async () => {
  if (skip !== false) return;
  const browser = await ConsoleBrowser.start();

  test('says what is unknown, and which command finds out', async () => {
    await using site = await browser.open();
    const view = await site.login(0, '/protection');
    await view.shows('the command has not run on this host yet');
    await view.shows('bulkhead prove');
    await view.check('protection-unknown');
    await view.page.evaluate(() => (location.hash = '#/modules'));
    await view.shows('bulkhead modules scan');
    await view.check('modules-unknown');
  });

  test('shows what commands have kept, with its date', async () => {
    const stage = await Stage.start();
    mkdirSync(stage.paths.state, { recursive: true });
    for (const [name, report] of [
      ['setup-status', ladder],
      ['prove', proof],
      ['modules-scan', scan],
    ] as const)
      assert.ok(keepReport(stage.paths, name, report).ok);
    await using site = await browser.open(stage);
    for (const [width, theme] of [
      [1280, 'light'],
      [768, 'dark'],
      [390, 'light'],
      [320, 'dark'],
    ] as const) {
      const view = await site.login(0, '/protection', { width, theme });
      await view.shows('As of ');
      await view.shows('1 attack got through that the policy forbids');
      await view.shows('read another tenant <script>');
      await view.check(`protection-${width}`);
      await view.page.evaluate(() => (location.hash = '#/modules'));
      await view.shows('201 modules of Linux 6.12.0');
      await view.shows('evil<b>', 'tbody tr:nth-child(1)');
      await view.check(`modules-${width}`);
      await view.page.getByRole('button', { name: 'evil<b>' }).click();
      await view.shows('The license has a NUL', 'dialog');
      await view.check(`modules-one-${width}`);
    }
    const german = await site.login(0, '/protection', { language: 'de' });
    await german.shows('Schichten des Schutzes');
    await german.check('protection-de');
  });

  test('says that a result is damaged, and shows the others', async () => {
    const stage = await Stage.start();
    mkdirSync(`${stage.paths.state}/reports`, { recursive: true });
    assert.ok(keepReport(stage.paths, 'setup-status', ladder).ok);
    writeFileSync(`${stage.paths.state}/reports/prove.json`, '{"version":1,"at":"x"');
    await using site = await browser.open(stage);
    const view = await site.login(0, '/protection');
    await view.shows('it is damaged, or of another version');
    await view.shows('entry cron');
    await view.check('protection-damaged');
  });

  test('is for root alone', async () => {
    await using site = await browser.open();
    const { token } = await site.stage.login(5001);
    for (const path of ['/v1/protection', '/v1/modules'])
      assert.equal((await site.stage.with(token, path)).status, 403);
  });
});

/** Transcripts of `bulkhead setup` in the documentation are what the program prints. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultAnswers, formatAnswers } from '../../src/setup/commands/questions.ts';
import { lookLines, type HostLook } from '../../src/setup/core/look.ts';
import { planSteps } from '../../src/setup/core/plan.ts';
import type { StepContext } from '../../src/setup/core/step.ts';
import { steps } from '../../src/setup/core/steps.ts';
import { blocks, textOf } from './pages.ts';

/** The server of the transcripts, as far as they show it. */
const look: HostLook = {
  distribution: 'Debian GNU/Linux 13 (trixie)',
  kernel: '6.18.44',
  cores: 2,
  memoryBytes: 23.5 * 2 ** 30,
  hasSystemd: true,
  hasConsole: false,
  panels: [],
  packagesOf: null,
  webServers: [
    { name: 'nginx', program: '/usr/sbin/nginx', isServed: true, isRead: true },
    { name: 'Apache', program: '/usr/sbin/apache2', isServed: true, isRead: true },
  ],
  php: [
    {
      program: '/usr/sbin/php-fpm8.4',
      origin: 'Debian',
      php: '8.4',
      pools: '/etc/php/8.4/fpm/pool.d',
      isServed: true,
    },
  ],
  databases: ['PostgreSQL'],
  databaseSockets: [],
  accounts:
    'alice bob carol dave erin frank grace heidi ivan judy kim liam mia noah olga paul quinn rosa sam tara'.split(
      ' ',
    ),
  administrators: [],
  uids: '1000-60000',
  otherWriters: [],
  cloudLinux: [],
  hasPolicy: false,
};

for (const [page, language] of [
  ['README.md', 'console'],
  ['docs/tutorial.md', 'text'],
] as const)
  test(`the transcript in ${page} has the lines of the program`, () => {
    const transcript = blocks(textOf(page), language).find((each) => each.includes('\nPlan ('));
    assert.ok(transcript);
    for (const [label, text] of lookLines(look))
      assert.ok(transcript.includes(`${label.padEnd(10)} ${text}\n`), label);
    const answers = defaultAnswers(look);
    assert.ok(transcript.includes(`Plan (${formatAnswers(answers)}):\n`));
    const context: StepContext = {
      answers,
      look,
      unjailed: [],
      sites: new Map(),
      canary: 'alice',
      file: '/etc/bulkhead/policy.xml',
      policy: [],
    };
    const wanted = planSteps(steps, answers.level, context, [], undefined);
    const shown = [
      ...transcript.matchAll(/^ ?(\d+)\. (.+)\n {4}(.+)\n {4}customers notice: (.+)$/gm),
    ];
    assert.ok(shown.length > 0);
    for (const [, , title = '', changes, customers] of shown)
      assert.ok(
        wanted.some(
          (each) =>
            each.step.title === title &&
            each.changes === changes &&
            each.step.customers === customers,
        ),
        title,
      );
  });

/** A host answers questions of a fixed form, at a bounded pace, in one message. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { FleetEngine } from '../../src/agent/fleet/fleet-agent.ts';
import { parseAnswer, type Answer } from '../../src/fleet/core/ask/answer.ts';
import { cutAnswers, whyImpossible } from '../../src/fleet/core/ask/believable.ts';
import {
  askedMetricNames,
  parseQuestion,
  type AskedMetric,
  type Question,
} from '../../src/fleet/core/ask/question.ts';
import { hostMessageBytesMax } from '../../src/fleet/core/subjects.ts';
import { unknownOf } from '../../src/fleet/core/told/fleet-incidents.ts';
import { parseSigned } from '../../src/fleet/core/told/signed.ts';
import { Answerer } from '../../src/fleet/io/ask/answerer.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { roomEngine } from './room-engine.ts';

const question: Question = {
  format: 1,
  nonce: 'abc',
  seconds: 3600,
  metrics: ['cpu'],
  tenant: null,
  count: 20,
};
const shown = { state: 'healthy', fleet: 'example', host: 'web-001', problems: [] } as const;

suite('a host that is asked', () => {
  const directory = suiteDirectory('fleet-asked');
  const answererIn = (name: string) => {
    mkdirSync(join(directory, name));
    return new Answerer(join(directory, name));
  };
  const engine = roomEngine() as unknown as FleetEngine;

  test('takes no question of another form, and none beyond its bounds', () => {
    const parsed = (changed: object) =>
      parseQuestion(JSON.stringify({ ...question, ...changed })).ok;
    assert.ok(parsed({}));
    for (const changed of [
      { count: 21 },
      { count: 0 },
      { seconds: 59 },
      { seconds: 31 * 86_400 },
      { metrics: [] },
      { metrics: ['policy'] },
      { tenant: '\u001b[2J' },
      { tenant: 'a'.repeat(65) },
      { command: 'reboot' },
      { nonce: 'a.b' },
    ])
      assert.ok(!parsed(changed), JSON.stringify(changed));
    assert.ok(!parseQuestion('x'.repeat(2000)).ok);
  });

  test('answers a bounded number of questions, and one at a time', async () => {
    const answerer = answererIn('pace');
    const text = JSON.stringify(question);
    const together = await Promise.all([1, 2, 3].map(() => answerer.answer(shown, engine, text)));
    assert.deepEqual(
      together.map((each) => each.ok || each.error.status),
      [true, 429, 429],
    );
    let answered = 0;
    for (let each = 0; each < 40; each++)
      if ((await answerer.answer(shown, engine, text)).ok) answered += 1;
    assert.ok(answered < 40);
    const none = await answerer.answer({ state: 'none', problems: [] }, engine, text);
    assert.equal(none.ok || none.error.status, 404);
  });

  test('names that a terminal would obey, and very long ones, are sent as uids', async () => {
    const use = { cpu: { average: 1 / 3, p95: 1, max: 1 } };
    const names = ['\u001b[2J', 'a'.repeat(65), 'alice'];
    const rows = names.map((name, each) => ({
      who: { member: `u${each}`, name, package: name },
      limits: {},
      use,
    }));
    const hostile = {
      tenantUse: () => ({ ok: true, value: { measuredSeconds: 1, tenants: rows.length, rows } }),
    };
    const got = await answererIn('names').answer(
      shown,
      hostile as unknown as FleetEngine,
      JSON.stringify(question),
    );
    const { rows: sent } = answerIn(got.ok ? got.value.answer : assert.fail(got.error.reason));
    assert.deepEqual(
      sent.map(({ name, package: plan }) => [name, plan]),
      [
        ['u0', null],
        ['u1', null],
        ['alice', 'alice'],
      ],
    );
    assert.equal(sent[0]?.use[0]?.average, 0.333333);
  });

  test('the longest answer fits into one message', async () => {
    const use = Object.fromEntries(
      askedMetricNames.map((metric) => [
        metric,
        { average: 12_345.6, p95: 65_432.1, max: 99_999.9 },
      ]),
    );
    const rows = Array.from({ length: 20 }, (_, each) => ({
      who: { member: `u${4e9 + each}`, name: 'ä'.repeat(64), package: 'ä'.repeat(64) },
      limits: { 'cpu.limit': 1.23456, 'memory.limit': 1e12 },
      use,
    }));
    const large = {
      tenantUse: () => ({ ok: true, value: { measuredSeconds: 1, tenants: rows.length, rows } }),
    };
    const all = { ...question, metrics: askedMetricNames.slice(0, 8) };
    for (const [asked, count] of [
      [question, 20],
      [{ ...all, count: 1 }, 1],
      [all, undefined],
    ] as const) {
      const text = JSON.stringify(asked);
      const name = String(Object.values(asked).join('').length);
      const got = await answererIn(name).answer(shown, large as unknown as FleetEngine, text);
      const { answer } = got.ok ? got.value : assert.fail(got.error.reason);
      assert.ok(
        Buffer.byteLength(answer) <= hostMessageBytesMax,
        String(Buffer.byteLength(answer)),
      );
      if (count !== undefined) assert.equal(answerIn(answer).rows.length, count);
    }
  });
});

suite('an answer at the centre', () => {
  const answer = (more: Partial<Answer> = {}): Answer => ({
    format: 1,
    fleet: 'example',
    host: 'web-001',
    nonce: 'abc',
    measuredSeconds: 3600,
    tenants: 40,
    busy: 30,
    rows: [],
    ...more,
  });
  const row = (metric: AskedMetric, average: number) => ({
    member: 'u1',
    name: 'alice',
    package: null,
    use: [{ metric, average, p95: average, max: average, limit: null }],
  });

  test('says which tenants had no space in it', () => {
    const rows = [row('cpu', 1), row('cpu', 1)];
    assert.deepEqual(cutAnswers([answer({ rows }), answer({ host: 'a', rows, busy: 2 })], 20), [
      { host: 'web-001', missing: 18 },
    ]);
    assert.deepEqual(cutAnswers([answer({ rows })], 2), []);
    assert.deepEqual(cutAnswers([answer({ rows, busy: 3 }), answer({ host: 'a' })], 5), [
      { host: 'a', missing: 5 },
      { host: 'web-001', missing: 1 },
    ]);
  });

  test('is not believed if all of its tenants together used more than the host has', () => {
    const figures = (has: number | null) => ({
      has,
      promised: null,
      unlimited: null,
      p95: null,
      peak: null,
    });
    const room = (cpu: number | null, memory: number | null) => ({
      measuredSeconds: null,
      cpu: figures(cpu),
      memory: figures(memory),
      pressure: { cpu: null, memory: null, io: null },
    });
    const cores = answer({ rows: [row('cpu', 3), row('cpu', 2)] });
    assert.equal(whyImpossible(cores, room(5, 1)), undefined);
    assert.match(whyImpossible(cores, room(4, 1)) ?? '', /1\.3 times the CPU/);
    for (const metric of ['memory', 'anonymous'] as const)
      assert.match(
        whyImpossible(answer({ rows: [row(metric, 300)] }), room(9, 100)) ?? '',
        /3\.0 times the memory/,
      );
    assert.equal(whyImpossible(answer({ rows: [row('read', 1e12)] }), room(1, 1)), undefined);
    for (const unknown of [null, undefined, room(null, null)])
      assert.equal(whyImpossible(cores, unknown), undefined);
  });
});

suite('events of hosts that the centre does not have', () => {
  test('are at most as many as a host keeps, and the part of each host is named', () => {
    const host = (name: string, behind: number | null, lost = 0) => ({
      host: name,
      state: 'healthy',
      behind,
      lost,
    });
    const found = unknownOf([
      host('a', 3),
      host('b', Number.MAX_SAFE_INTEGER, 2),
      host('c', null),
      host('d', 0),
    ]);
    assert.deepEqual(found, {
      silent: [],
      notReceived: 50_003,
      notCounted: ['c'],
      lost: 2,
      parts: [
        { host: 'b', notReceived: 50_000, lost: 2 },
        { host: 'a', notReceived: 3, lost: 0 },
      ],
    });
  });
});

function answerIn(text: string): Answer {
  const signed = parseSigned(text);
  assert.ok(signed.ok);
  const context = { fleet: 'example', host: 'web-001', question: { ...question, count: 20 } };
  const { nonce } = question;
  const parsed = parseAnswer(signed.value.document, {
    ...context,
    question: { ...context.question, nonce, metrics: askedMetricNames },
  });
  return parsed.ok ? parsed.value : assert.fail(parsed.error.reason);
}

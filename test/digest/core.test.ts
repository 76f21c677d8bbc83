/** Digests: their days and weeks, what is reported, when a disk will be full, and the texts. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import type { DigestRule } from '../../src/policy/settings.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { diskFindings, useFindings } from '../../src/digest/core/findings.ts';
import { dayMilliseconds, dayWhenFull, type DiskSample } from '../../src/digest/core/forecast.ts';
import { writeLetter } from '../../src/digest/core/letter.ts';
import { builtInTexts, textsFor } from '../../src/digest/core/texts/built-in.ts';
import { parseTexts } from '../../src/digest/core/texts/text-file.ts';
import { fieldsOf, textFields } from '../../src/digest/core/texts/texts.ts';
import { readTexts } from '../../src/digest/io/read-texts.ts';
import { isCurrent, lastSlot } from '../../src/digest/io/schedule.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';
import { digestRule } from './rule.ts';

const at = (text: string) => new Date(text).getTime();

suite('<digest>', () => {
  const digestsOf = (text: string) => {
    const { document, diagnostics } = parsePolicy(
      '',
      `<bulkhead version="1"><agent><alerts>${text}</alerts></agent></bulkhead>`,
    );
    return {
      digests: document?.agent?.alerts.digests,
      said: diagnostics.list.map(({ message }) => message),
    };
  };

  test('has defaults', () => {
    assert.deepEqual(digestsOf('<digest to="tenant"/>').digests, [
      digestRule({ address: undefined }),
    ]);
    assert.equal(digestsOf('').digests, undefined);
  });

  for (const [text, expected] of [
    ['<digest to="administrator"/>', /"administrator" is not one of reseller, tenant/],
    ['<digest to="tenant" use="0%"/>', /"0%" is not a percentage/],
    ['<digest to="tenant" at="24:00"/>', /"24:00" is not a time of day/],
    ['<digest to="tenant" language="../../x"/>', /is not a language/],
    ['<digest to="tenant" every="day" day="monday"/>', /has no "day"/],
    ['<digest to="tenant" full="1h"/>', /out of range/],
    ['<digest to="tenant"/><digest to="tenant"/>', /There is a digest to="tenant" already/],
  ] as const)
    test(`refuses ${text}`, () => assert.match(digestsOf(text).said.join('\n'), expected));
});

suite('lastSlot()', () => {
  const rule = (changes: Partial<DigestRule>) => digestRule({ atMinutes: 450, ...changes });

  test('is the last day or week that ended, in local time', () => {
    const day = lastSlot(rule({ every: 'day' }), at('2026-11-30T07:30:00'));
    assert.deepEqual(day, {
      name: 'day 2026-11-30',
      from: at('2026-11-29T07:30:00'),
      to: at('2026-11-30T07:30:00'),
    });
    assert.equal(
      lastSlot(rule({ every: 'day' }), at('2026-11-30T07:29:59')).name,
      'day 2026-11-29',
    );
    // 30 November 2026 is a Monday.
    for (const [now, name] of [
      ['2026-11-30T07:30:00', 'week 2026-11-30'],
      ['2026-11-30T07:29:00', 'week 2026-11-23'],
      ['2026-12-06T23:59:00', 'week 2026-11-30'],
    ] as const)
      assert.equal(lastSlot(rule({}), at(now)).name, name);
    const week = lastSlot(rule({ day: 'friday' }), at('2026-12-01T00:00:00'));
    assert.deepEqual([week.name, week.from], ['week 2026-11-27', at('2026-11-20T07:30:00')]);
  });

  test('is not sent when it is too late', () => {
    const slot = lastSlot(rule({}), at('2026-12-01T00:00:00'));
    assert.ok(isCurrent(rule({}), slot, at('2026-12-01T00:00:00')));
    assert.ok(!isCurrent(rule({}), slot, at('2026-12-04T00:00:00')));
  });
});

suite('dayWhenFull()', () => {
  const growing = [0, 1, 2, 3, 4].map((day): DiskSample => [day, 100 + day * 10]);
  const now = { today: 4, bytes: 140, limit: 200 };

  test('continues the line through the samples', () => {
    assert.equal(dayWhenFull(growing, now), 10);
    assert.equal(dayWhenFull(growing, { ...now, limit: 100 }), 4);
  });

  test('says nothing without a trend', () => {
    assert.equal(dayWhenFull(growing.slice(0, 3), now), undefined);
    assert.equal(
      dayWhenFull(
        growing.map(([day]) => [day, 5] as const),
        now,
      ),
      undefined,
    );
    assert.equal(
      dayWhenFull(
        growing.map(([day, bytes]) => [day, -bytes] as const),
        now,
      ),
      undefined,
    );
    assert.equal(
      dayWhenFull(
        growing.map(([, bytes]) => [1, bytes] as const),
        now,
      ),
      undefined,
    );
  });
});

suite('findings', () => {
  const rule = digestRule();
  const row = {
    metrics: { anonymous: { p95: 900 }, cpu: { p95: 0.79 } },
    limits: { 'memory.limit': 1000, 'cpu.limit': 1, 'processes.limit': 10 },
    limitTexts: { 'memory.limit': '1000B', 'cpu.limit': '100%', 'processes.limit': '10' },
    faults: { 'processes.limit': 3, 'jail.isolation': 7 },
  } as const;

  test('are limits that were reached, and use from the share on', () => {
    assert.deepEqual(useFindings(row, rule), [
      { kind: 'reached', limit: 'processes.limit', value: '10', times: 3 },
      { kind: 'busy', limit: 'memory.limit', value: '1000B', fraction: 0.9, used: '900B' },
    ]);
    assert.equal(useFindings(row, digestRule({ useFraction: 0.95 })).length, 1);
    assert.equal(useFindings(row, digestRule({ useFraction: 0.5 })).length, 3);
  });

  test('are disks that are full in part, or will be', () => {
    const today = Math.floor(Date.UTC(2026, 10, 30) / dayMilliseconds);
    const samples = [4, 3, 2, 1, 0].map((ago): DiskSample => [today - ago, 100 - ago * 10]);
    const facts = { spaceBytes: 100, files: 5, spaceLimit: 140, filesLimit: 5, samples };
    const now = today * dayMilliseconds + 5;
    assert.deepEqual(diskFindings(facts, rule, now), [
      { kind: 'disk', limit: 'disk.files', used: '5', value: '5', fraction: 1 },
      { kind: 'full', at: now + 4 * dayMilliseconds },
    ]);
    const soon = { ...rule, fullMilliseconds: 3 * dayMilliseconds };
    assert.equal(diskFindings(facts, soon, now).length, 1);
    const full = { ...facts, spaceBytes: 140 };
    assert.deepEqual(
      diskFindings(full, rule, now).map(({ kind }) => kind),
      ['disk', 'disk'],
    );
    assert.deepEqual(diskFindings({ spaceBytes: 9, files: 9, samples }, rule, now), []);
  });
});

suite('texts', () => {
  for (const [language, text] of builtInTexts)
    test(`of ${language} are complete and without mistakes`, () => {
      const { texts, problems } = parseTexts(text);
      assert.deepEqual(problems, []);
      const english = parseTexts(builtInTexts.get('en') ?? '').texts;
      assert.deepEqual([...texts.keys()].sort(), [...english.keys()].sort());
      for (const key of Object.keys(textFields)) assert.ok(texts.has(key as 'intro'), key);
      // Every fact is in the text.
      for (const [key, value] of texts)
        for (const field of fieldsOf(key))
          assert.ok(value.includes(`{${field}}`), `${key} ${field}`);
    });

  test('with a mistake are named by line, and the others count', () => {
    const { texts, problems } = parseTexts(
      [
        '# mine',
        'subject = {host}: {accounts}',
        'intro {host}',
        'nothing = x',
        'full = on {day}',
        'full = on {date',
        'advice = {host}',
        'subject = twice',
        `footer = ${'x'.repeat(1001)}`,
        'more = \u0007 {count}',
      ].join('\r\n'),
    );
    assert.deepEqual([...texts], [['subject', '{host}: {accounts}']]);
    assert.deepEqual(
      problems.map(({ line }) => line),
      [3, 4, 5, 6, 7, 8, 9, 10],
    );
    assert.match(problems[2]?.reason ?? '', /"full" has \{day\}/);
  });

  test("are an administrator's, or else the built-in ones, or else English", (t) => {
    const etc = testDirectory(t, 'texts');
    mkdirSync(`${etc}/bulkhead/texts/de`, { recursive: true });
    const file = `${etc}/bulkhead/texts/de/digest.txt`;
    writeFileSync(file, 'advice = Frag!\nfull = {x}\n');
    const { texts, problems } = readTexts({ etc }, 'de');
    assert.equal(texts.get('advice'), 'Frag!');
    assert.match(texts.get('full') ?? '', /voll/);
    assert.match(
      problems.join(),
      /de\/digest\.txt:2: "full" has \{x\}.*; the built-in text is used/,
    );
    assert.match(readTexts({ etc }, 'de-AT').texts.get('full') ?? '', /voll/);
    const french = readTexts({ etc }, 'fr');
    assert.match(french.problems.join(), /no texts for the language "fr"/);
    assert.deepEqual(french.texts, textsFor('en', new Map()));
  });

  test('that others could have written, links and other bytes do not count', (t) => {
    const etc = testDirectory(t, 'texts');
    const directory = `${etc}/bulkhead/texts/de`;
    mkdirSync(directory, { recursive: true });
    const file = `${directory}/digest.txt`;
    const builtIn = textsFor('de', new Map());
    const refused = (expected: RegExp) => {
      const { texts, problems } = readTexts({ etc }, 'de');
      assert.deepEqual(texts, builtIn);
      assert.match(problems.join(), expected);
    };
    writeFileSync(file, Buffer.from([0xff, 0xfe]));
    refused(/it is not UTF-8/);
    writeFileSync(file, '#'.repeat(70_000));
    refused(/the limit is 64KiB/);
    writeFileSync(file, 'advice = x\n');
    chmodSync(file, 0o666);
    refused(/Cannot read .*built-in texts are used/);
    mkdirSync(`${etc}/bulkhead/texts/en`);
    symlinkSync('/dev/zero', `${etc}/bulkhead/texts/en/digest.txt`);
    assert.match(readTexts({ etc }, 'en').problems.join(), /it is a symbolic link/);
  });
});

suite('writeLetter()', () => {
  const context = { host: 'web1', timeZone: 'UTC', texts: textsFor('en', new Map()) };
  const digest = {
    address: 'ann@example.org',
    language: 'en',
    from: Date.UTC(2026, 10, 23),
    to: Date.UTC(2026, 10, 30),
    accounts: [
      {
        name: 'ann',
        isSum: false,
        findings: [{ kind: 'full', at: Date.UTC(2026, 11, 4) }],
      },
    ],
  } as const;

  test('states the day on which a disk is full, in each language', () => {
    const english = writeLetter(digest, context);
    assert.equal(english.subject, 'Your account ann on web1');
    assert.match(
      english.paragraphs.map(({ text }) => text).join('\n'),
      /full on Friday, December 4/,
    );
    const german = writeLetter(
      { ...digest, language: 'de' },
      { ...context, texts: textsFor('de', new Map()) },
    );
    assert.match(
      german.paragraphs.map(({ text }) => text).join('\n'),
      /ist .* am Freitag, 4\. Dezember voll/,
    );
  });

  test('keeps a hostile name one word of one line, which is never a field', () => {
    const name = 'x\r\nBcc: victim@example.org\n\n<script>{host}{findings}\u202e';
    const { subject, paragraphs } = writeLetter(
      { ...digest, accounts: [{ ...digest.accounts[0], name }] },
      context,
    );
    const all = [subject, ...paragraphs.map(({ text }) => text)].join('|');
    assert.doesNotMatch(all, /[\r\n\u202e]/);
    assert.ok(all.includes('{host}{findings}'), all);
  });

  test('is bounded', () => {
    const accounts = Array.from({ length: 5000 }, (_, index) => ({
      ...digest.accounts[0],
      name: `u${index}${'x'.repeat(200)}`,
    }));
    const { subject, paragraphs } = writeLetter({ ...digest, accounts }, context);
    assert.ok(subject.length <= 120);
    assert.ok(paragraphs.length < 80);
    assert.match(paragraphs.map(({ text }) => text).join('\n'), /to report: 4970/);
  });
});

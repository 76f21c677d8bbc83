/** Divisions and services that failed: a line of `doctor`, and one alarm for each. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { printable } from '../../../packages/base/printable.ts';
import { eventually } from '../../../testing/patience.ts';
import { pathsOf } from '../../../src/host/paths.ts';
import { lockFile } from '../../../src/sys/files/flock.ts';
import type { Policy } from '../../../src/policy/policy.ts';
import { FailureAlarms, type FpmFailure } from '../../../src/web/core/fpm/failures.ts';
import { fpmDoctor } from '../../../src/web/commands/fpm/doctor.ts';
import { failuresPart } from '../../../src/web/io/fpm/failures/failures-part.ts';
import { unitFailures } from '../../../src/web/io/fpm/failures/failures.ts';
import { outcomeFailures, recordOutcome } from '../../../src/web/io/fpm/failures/outcome.ts';
import { fpmLayoutOf } from '../../../src/web/io/fpm/layout.ts';
import { reconcile } from '../../../src/web/io/fpm/reconcile.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';

const refused = (user: string, reason = 'its chdir is missing'): FpmFailure => ({
  kind: 'refused',
  php: '8.4',
  user,
  reason,
});

function pathsIn() {
  const root = suiteDirectory('fpm-failures');
  const instance = 'bulkhead-fpm-failures-test';
  const paths = { ...pathsOf(instance), etc: `${root}/etc`, runtime: `${root}/run` };
  mkdirSync(`${paths.etc}/${instance}/fpm/8.4`, { recursive: true });
  mkdirSync(paths.runtime);
  writeFileSync(`${paths.etc}/${instance}/fpm/8.4/tenants`, 'all\n');
  return paths;
}

test('FailureAlarms raises one alarm for a failure that lasts, and again when it returns', () => {
  const known = new FailureAlarms();
  const about = (...failures: readonly FpmFailure[]) =>
    known.take(failures).map((each) => each.about);
  assert.deepEqual(about(refused('alice')), []);
  assert.deepEqual(about(refused('alice', 'in other words')), ['PHP-FPM 8.4 alice']);
  assert.deepEqual(about(refused('alice'), refused('bob')), []);
  assert.deepEqual(about(refused('alice'), refused('bob')), ['PHP-FPM 8.4 bob']);
  assert.deepEqual(about(refused('bob')), []);
  assert.deepEqual(about(refused('alice'), refused('bob')), []);
  assert.deepEqual(about(refused('alice'), refused('bob')), ['PHP-FPM 8.4 alice']);
});

test('FailureAlarms limits alarms of many tenants, and escapes control characters', () => {
  const known = new FailureAlarms();
  const many = Array.from({ length: 30 }, (_, at) => refused(`u${at}`, 'a\u001b[31m\nb'));
  known.take(many);
  const alarms = known.take(many);
  assert.equal(alarms.length, 21);
  assert.equal(alarms.at(-1)?.title, 'PHP-FPM failed for 10 more tenants');
  for (const { title, text } of alarms) assert.equal(title + text, printable(title + text));
});

test('failuresPart() checks once a minute, and reports each failure once', async () => {
  let now = 0;
  let asked = 0;
  const log: string[] = [];
  const part = failuresPart(
    () => {
      asked++;
      return Promise.resolve([{ kind: 'division', php: '8.4', reason: 'no' } as const]);
    },
    { warn: (line: string) => void log.push(line) } as never,
    () => now,
  );
  const tick = () => {
    part.afterTick?.(() => [], {});
    return part.takeAlarms?.() ?? [];
  };
  const after = async (rounds: number) => {
    now += 60_000;
    await eventually('the part has asked', () => {
      tick();
      return asked === rounds;
    });
  };
  await after(1);
  for (let times = 0; times < 5; times++) assert.deepEqual(tick(), []);
  assert.equal(asked, 1);
  await after(2);
  const alarms = await eventually('it is told', () => {
    const found = tick();
    return found.length > 0 && found;
  });
  assert.deepEqual(
    alarms.map(({ title }) => title),
    ['the pools of PHP 8.4 could not be divided'],
  );
  assert.equal(log.length, 1);
  await after(3);
  await after(4);
  assert.deepEqual(tick(), []);
  assert.equal(log.length, 1);
});

test('fpmDoctor() reports what the last division refused', async () => {
  const paths = pathsIn();
  const textOf = async () => (await fpmDoctor({ paths }))?.text;
  assert.equal(await textOf(), undefined);
  recordOutcome(paths, '8.4', { refused: [{ user: 'alice', reason: 'pool.d/a.conf:3: no' }] });
  assert.equal(
    await textOf(),
    'the pools of alice (PHP 8.4) are not as their files say: pool.d/a.conf:3: no; see bulkhead web fpm status',
  );
  recordOutcome(paths, '8.4', { refused: [] });
  assert.equal(await textOf(), undefined);
  // One that is not the tenants' any more.
  recordOutcome(paths, '8.3', { problem: 'no' });
  writeFileSync(`${paths.runtime}/fpm-8.4.outcome`, '{');
  assert.equal(await textOf(), undefined);
});

test('outcomeFailures() reports a division that was killed, and none that still runs', () => {
  const paths = pathsIn();
  const path = `${paths.runtime}/fpm-8.4.lock`;
  recordOutcome(paths, '8.4', { begun: true });
  const lock = lockFile(path, { waitMs: 0 });
  assert.ok(lock.ok);
  assert.deepEqual(outcomeFailures(paths), []);
  lock.value[Symbol.dispose]();
  assert.deepEqual(outcomeFailures(paths), [
    { kind: 'division', php: '8.4', reason: 'it did not come to its end' },
  ]);
});

test('reconcile() records a failed division on reload, and not for a command', async () => {
  const paths = pathsIn();
  const fpm = { php: '8.4', program: '/bin/false', configuration: `${paths.etc}/none.conf` };
  const layout = fpmLayoutOf(paths, fpm, true);
  const policy = { tenants: [] } as unknown as Policy;
  const entry = { kind: 'launcher', instance: paths.instance, isJailed: false } as const;
  const fpmContext = { paths, fpm, web: {}, layout, policy, entryOf: () => entry };
  const wish = { choose: <T>(choice: T) => choice };
  assert.ok(!(await reconcile(fpmContext, wish, 'command')).ok);
  assert.deepEqual(outcomeFailures(paths), []);
  assert.ok(!(await reconcile(fpmContext, wish, 'reload')).ok);
  const [failure, ...more] = outcomeFailures(paths);
  assert.deepEqual(more, []);
  assert.equal(failure?.kind, 'division');
  assert.match(failure?.kind === 'division' ? failure.reason : '', /none\.conf/);
});

test('unitFailures() returns the account of each failed unit', () => {
  const names = { namesOf: (uid: number) => (uid === 1001 ? ['alice'] : []) };
  const units = [
    'bulkhead-fpm84@1001:shop.example.service',
    'bulkhead-fpm84@1002:www.socket',
    'bulkhead-other@1001.service',
    // A service of another instance.
    'bulkhead-fpm-x-fpm84@1001.service',
  ];
  assert.deepEqual(unitFailures('bulkhead', units, names), [
    { kind: 'unit', php: '8.4', user: 'alice', unit: units[0] },
    { kind: 'unit', php: '8.4', user: 'uid 1002', unit: units[1] },
  ]);
});

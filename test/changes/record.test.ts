/** The record of changes: who changed what, and what became of it, whatever happens to the file. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { formatProblem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import { announceEdit, recordApplied, recordUnwritten } from '../../src/apply/change-record.ts';
import { editPolicy } from '../../src/apply/edit.ts';
import { PolicyReader } from '../../src/apply/load-policy.ts';
import { listChanges, readChangeText, readChangeTexts } from '../../src/apply/read-changes.ts';
import { pathsOf } from '../../src/host/paths.ts';
import type { ChangeAuthor, ListedChange } from '../../src/store/changes/change-store.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';
import { mountProblem, SmallDisk } from '../store/small-disk.ts';

const writer = fileURLToPath(new URL('writer.ts', import.meta.url));
const always = { from: 0, to: Number.MAX_SAFE_INTEGER };
const policy = (cpu: string) =>
  `<bulkhead version="1"><tenant uid="61001"><cpu limit="${cpu}"/></tenant></bulkhead>\n`;

function placeOf(t: TestContext) {
  const directory = testDirectory(t, 'changes');
  const file = `${directory}/policy.xml`;
  return {
    directory,
    file,
    paths: { ...pathsOf('bulkhead-test-changes'), state: `${directory}/state` },
  };
}
type Place = ReturnType<typeof placeOf>;

function value<T, E>(result: Result<T, E>): T {
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

const apply = ({ paths, file }: Place, text: string, way = 'by hand', problems: string[] = []) =>
  recordApplied(paths, {
    file,
    text,
    way,
    problems,
    keepMilliseconds: 1e12,
    outcome: problems.length === 0 ? 'in force' : 'failed',
  });
const edit = ({ paths, file }: Place, before: string, after: string, way = 'set') =>
  announceEdit(paths, { file, author: way, before, after });
const outcomes = ({ paths }: Place) =>
  value(listChanges(paths, always)).map(({ number, way, outcome }) => [number, way, outcome]);

describe('the record of changes', () => {
  test('has edits of commands and by hand, with their values and outcomes', (t) => {
    const place = placeOf(t);
    assert.deepEqual(outcomes(place), []);
    value(apply(place, policy('1%'), 'apply'));
    value(edit(place, policy('1%'), policy('2%')));
    value(edit(place, policy('2%'), policy('3%'), 'undo 1'));
    value(apply(place, policy('3%'), 'apply'));
    value(apply(place, policy('4%'), 'by hand', ['Cannot set it: no']));
    value(apply(place, policy('4%')));
    value(edit(place, policy('5%'), policy('6%')));
    assert.deepEqual(outcomes(place), [
      [6, 'set', 'pending'],
      [5, 'by hand', 'pending'],
      [4, 'by hand', 'in force'],
      [3, 'undo 1', 'in force'],
      [2, 'set', 'in force'],
      [1, 'apply', 'in force'],
    ]);
    const [last, , byHand] = value(listChanges(place.paths, always));
    assert.deepEqual(last?.changed, {
      count: 1,
      values: [
        {
          kind: 'set',
          element: 'tenant uid 61001',
          accounts: ['61001'],
          setting: 'cpu.limit',
          from: '5%',
          to: '6%',
        },
      ],
    });
    assert.equal(last.uid, process.getuid?.());
    assert.equal(byHand?.uid, undefined);
    assert.equal(value(readChangeText(place.paths, 'latest')).text, policy('4%'));
    const { before, after } = value(readChangeTexts(place.paths, 2));
    assert.deepEqual([before, after], [policy('1%'), policy('2%')]);
    assert.match(JSON.stringify(readChangeTexts(place.paths, 1)), /the record begins there/);
    assert.match(JSON.stringify(readChangeText(place.paths, 99)), /policy log/);
  });

  test('settles a text that was read before the next edit was announced', (t) => {
    const place = placeOf(t);
    value(apply(place, policy('1%')));
    value(edit(place, policy('1%'), policy('2%')));
    value(edit(place, policy('2%'), policy('3%')));
    value(apply(place, policy('2%')));
    value(apply(place, policy('2%')));
    assert.deepEqual(outcomes(place), [
      [3, 'set', 'pending'],
      [2, 'set', 'in force'],
      [1, 'by hand', 'in force'],
    ]);
    value(apply(place, policy('3%')));
    value(apply(place, policy('2%')));
    assert.deepEqual(outcomes(place).slice(0, 2), [
      [4, 'by hand', 'in force'],
      [3, 'set', 'in force'],
    ]);
  });

  test('begins with a text in force, and has refused ones and unwritten ones after it', (t) => {
    const place = placeOf(t);
    const { file, paths } = place;
    const refused = () =>
      value(
        recordApplied(paths, {
          file,
          text: '<bulk',
          way: 'by hand',
          outcome: 'refused',
          problems: ['x'],
        }),
      );
    refused();
    assert.deepEqual(readdirSync(place.directory), []);
    value(apply(place, policy('1%')));
    refused();
    const number = value(edit(place, policy('1%'), policy('2%')));
    value(recordUnwritten(paths, number ?? 0, 'no space'));
    assert.deepEqual(outcomes(place), [
      [3, 'set', 'not written'],
      [2, 'by hand', 'refused'],
      [1, 'by hand', 'in force'],
    ]);
    value(apply(place, policy('7%')));
    assert.equal(value(readChangeTexts(paths, 4)).before, policy('1%'));
  });

  test('does not credit a killed command, nor an edit by hand that nobody made', (t) => {
    const place = placeOf(t);
    value(apply(place, policy('1%')));
    value(edit(place, policy('1%'), policy('2%'), 'killed'));
    value(edit(place, policy('1%'), policy('3%')));
    value(edit(place, policy('3%'), policy('4%'), 'killed'));
    value(edit(place, policy('3%'), policy('5%')));
    value(apply(place, policy('5%')));
    assert.deepEqual(outcomes(place), [
      [5, 'set', 'in force'],
      [4, 'killed', 'unknown'],
      [3, 'set', 'in force'],
      [2, 'killed', 'unknown'],
      [1, 'by hand', 'in force'],
    ]);
  });

  test('credits an edit that could not be written with nothing', (t) => {
    const place = placeOf(t);
    const unwritten = (before: string, after: string) =>
      value(recordUnwritten(place.paths, value(edit(place, before, after)) ?? 0, 'no space'));
    value(apply(place, policy('1%')));
    unwritten(policy('1%'), policy('2%'));
    value(apply(place, policy('1%')));
    value(apply(place, policy('2%')));
    value(edit(place, policy('2%'), policy('3%')));
    unwritten(policy('3%'), policy('4%'));
    value(edit(place, policy('3%'), policy('5%')));
    value(apply(place, policy('5%')));
    assert.deepEqual(outcomes(place), [
      [6, 'set', 'in force'],
      [5, 'set', 'not written'],
      [4, 'set', 'in force'],
      [3, 'by hand', 'in force'],
      [2, 'set', 'not written'],
      [1, 'by hand', 'in force'],
    ]);
  });

  test('shows an edit as lost only if no later one began with it, whatever the period is', (t) => {
    const place = placeOf(t);
    value(apply(place, policy('1%')));
    value(edit(place, policy('1%'), policy('2%'), 'killed'));
    value(edit(place, policy('1%'), policy('3%')));
    value(edit(place, policy('3%'), policy('4%')));
    const expected = [
      [4, 'pending'],
      [3, 'pending'],
      [2, 'unknown'],
    ];
    const db = new DatabaseSync(`${place.paths.state}/history/changes.db`);
    db.exec('UPDATE changes SET at = number');
    db.close();
    for (const to of [2, 3, 4]) {
      const listed = value(listChanges(place.paths, { from: 2, to }));
      const facts = listed.map(({ number, outcome }) => [number, outcome]);
      assert.deepEqual(facts, expected.slice(4 - to));
    }
  });

  test('keeps commands’ edits no longer than others', (t) => {
    const place = placeOf(t);
    const { file, paths } = place;
    value(apply(place, policy('1%')));
    const db = new DatabaseSync(`${paths.state}/history/changes.db`);
    db.exec('UPDATE changes SET at = 1');
    db.close();
    value(edit(place, policy('1%'), policy('2%')));
    value(edit(place, policy('2%'), policy('3%')));
    const applied = { file, text: policy('3%'), way: 'by hand', problems: [] };
    value(recordApplied(paths, { ...applied, outcome: 'in force', keepMilliseconds: 1e9 }));
    assert.deepEqual(
      outcomes(place).map(([number]) => number),
      [3, 2],
    );
  });

  test('has names of a bounded length', (t) => {
    const place = placeOf(t);
    const long = 'n'.repeat(1_000);
    const attributes = Array.from({ length: 100 }, (_, index) => `${long}${index}="1"`).join(' ');
    value(apply(place, policy('1%')));
    value(apply(place, `<bulkhead version="1"><${long} ${attributes}/></bulkhead>`));
    const [last] = value(listChanges(place.paths, always));
    assert.ok(JSON.stringify(last).length < 70_000);
  });

  test('has no edits of other files', (t) => {
    const place = placeOf(t);
    value(edit(place, policy('1%'), policy('2%')));
    assert.deepEqual(readdirSync(place.directory), []);
    value(apply(place, policy('1%')));
    value(edit({ ...place, file: '/elsewhere.xml' }, policy('1%'), policy('2%')));
    assert.equal(outcomes(place).length, 1);
  });

  test('is for root only, and follows no symbolic link', (t) => {
    const place = placeOf(t);
    value(apply(place, policy('1%')));
    const history = `${place.paths.state}/history`;
    const mode = (path: string) => statSync(path).mode & 0o777;
    assert.equal(mode(history), 0o700);
    for (const name of readdirSync(history)) assert.equal(mode(`${history}/${name}`), 0o600, name);
    rmSync(`${history}/changes.db`);
    writeFileSync(`${place.directory}/victim`, 'kept');
    for (const name of ['changes.db', 'changes.lock']) {
      rmSync(`${history}/${name}`, { force: true });
      symlinkSync(`${place.directory}/victim`, `${history}/${name}`);
      const applied = apply(place, policy('2%'));
      assert.equal(applied.ok, false, name);
      rmSync(`${history}/${name}`);
    }
    assert.equal(statSync(`${place.directory}/victim`).size, 4);
  });

  test('is replaced by a new one when it is damaged', (t) => {
    const place = placeOf(t);
    value(apply(place, policy('1%')));
    const file = `${place.paths.state}/history/changes.db`;
    writeFileSync(file, Buffer.alloc(50_000, 'nonsense'));
    const replaced = apply(place, policy('2%'));
    assert.match(replaced.ok ? '' : replaced.error.reason, /replaced by a new one.*kept as/);
    assert.deepEqual(outcomes(place), [[1, 'by hand', 'in force']]);
    assert.ok(
      readdirSync(`${place.paths.state}/history`).some((name) => name.includes('.damaged-')),
    );
    const db = new DatabaseSync(file);
    db.exec(`UPDATE texts SET body = x'00112233'`);
    db.close();
    assert.match(JSON.stringify(readChangeText(place.paths, 1)), /it is damaged/);
    value(apply(place, policy('3%')));
    assert.equal(value(readChangeText(place.paths, 2)).text, policy('3%'));
  });

  test('keeps changes of the period, at most the last 2,000, and always the last one', (t) => {
    const place = placeOf(t);
    value(apply(place, policy('1%')));
    const file = `${place.paths.state}/history/changes.db`;
    const db = new DatabaseSync(file);
    const insert = db.prepare(
      `INSERT INTO changes (at, file, text_key, way, outcome, outcome_at, problems)
         SELECT at + ?, file, text_key, way, outcome, at, problems FROM changes WHERE number = 1`,
    );
    db.exec('BEGIN');
    for (let number = 0; number < 2_500; number++) insert.run(number);
    db.exec('COMMIT');
    db.close();
    value(apply(place, policy('2%')));
    assert.equal(outcomes(place).length, 2_000);
    const { paths } = place;
    const text = policy('3%');
    const applied = { file: place.file, text, way: 'by hand', problems: [] };
    value(recordApplied(paths, { ...applied, outcome: 'in force', keepMilliseconds: -1e9 }));
    assert.equal(outcomes(place).length, 1);
    assert.equal(value(readChangeText(paths, 'latest')).text, text);
  });

  test('keeps what root did, however much others change', (t) => {
    const place = placeOf(t);
    value(apply(place, policy('1%'), 'apply'));
    value(edit(place, policy('1%'), policy('2%')));
    const { paths, file } = place;
    const db = new DatabaseSync(`${paths.state}/history/changes.db`);
    const insert = db.prepare(
      `INSERT INTO changes (at, file, text_key, way, uid, outcome, outcome_at, problems)
         SELECT at, file, text_key, ?, ?, outcome, at, problems FROM changes WHERE number = 1`,
    );
    const add = (count: number, author: ChangeAuthor & { readonly uid: number }) => {
      db.exec('BEGIN');
      for (let number = 0; number < count; number++) insert.run(author.way, author.uid);
      db.exec('COMMIT');
      value(announceEdit(paths, { file, author, before: policy('1%'), after: policy('3%') }));
    };
    const numberOf = (wanted: (change: ListedChange) => boolean) =>
      value(listChanges(paths, always)).filter(wanted).length;
    add(300, { way: 'console', uid: 4000 });
    add(0, { way: 'console', uid: 4001 });
    assert.equal(
      numberOf(({ uid }) => uid === 4000),
      200,
    );
    assert.equal(
      numberOf(({ uid }) => uid === 4001),
      1,
    );
    // Root is recorded as the author, but somebody else is the reason.
    add(1_500, { way: 'goes back 5', uid: 0 });
    assert.equal(
      numberOf(({ way }) => way.startsWith('goes back')),
      1_000,
    );
    db.close();
    assert.equal(
      numberOf(({ way }) => ['apply', 'set'].includes(way)),
      2,
    );
    value(readChangeTexts(paths, 2));
  });

  test('takes a text of many megabytes, and its first hundred values', (t) => {
    const place = placeOf(t);
    const many = Array.from({ length: 20_000 }, (_, uid) => `<tenant uid="${uid + 1_000}"/>\n`);
    const huge = `<bulkhead version="1">${many.join('')}<!--${'x'.repeat(4_000_000)}--></bulkhead>`;
    value(apply(place, policy('1%')));
    value(apply(place, huge));
    const [last] = value(listChanges(place.paths, always));
    assert.deepEqual([last?.changed?.count, last?.changed?.values.length], [20_002, 100]);
    assert.equal(value(readChangeText(place.paths, 2)).text, huge);
    assert.ok(statSync(`${place.paths.state}/history/changes.db`).size < 1e6);
  });

  test('has an edit that was not written, since somebody else wrote the file meanwhile', (t) => {
    const place = placeOf(t);
    value(apply(place, policy('1%')));
    writeFileSync(place.file, policy('1%'), { mode: 0o600 });
    const change = (text: string) => {
      writeFileSync(place.file, policy('100%'));
      return { ok: true, value: text.replace('1%', '2%') } as const;
    };
    const edited = editPolicy(new PolicyReader(), place.file, place.paths, change, 'set');
    assert.equal(edited.ok, false);
    const [last] = value(listChanges(place.paths, always));
    assert.deepEqual([last?.way, last?.outcome], ['set', 'not written']);
    assert.match(last?.problems.join() ?? '', /another program changed it meanwhile/);
  });

  test('never prevents an edit', (t) => {
    const place = placeOf(t);
    mkdirSync(place.paths.state);
    writeFileSync(`${place.paths.state}/history`, 'a file where the directory should be');
    writeFileSync(place.file, policy('1%'), { mode: 0o600 });
    assert.equal(apply(place, policy('1%')).ok, false);
    const change = (text: string) => ({ ok: true, value: text.replace('1%', '2%') }) as const;
    const edited = value(editPolicy(new PolicyReader(), place.file, place.paths, change, 'set'));
    assert.equal(edited.after, policy('2%'));
    assert.match(formatProblem(edited.unrecorded ?? { action: '', reason: '' }), /history/);
  });
});

test('two commands at once lose no change', async (t) => {
  const place = placeOf(t);
  value(apply(place, policy('1%')));
  const run = async () => {
    const child = spawn(process.execPath, [writer, place.paths.state, place.file, '20']);
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 0);
  };
  await Promise.all([run(), run()]);
  const edits = outcomes(place).filter(([, way]) => way === 'set');
  assert.equal(edits.length, 40);
});

test('a killed command leaves a record with everything that it reported', async (t) => {
  const place = placeOf(t);
  value(apply(place, policy('1%')));
  for (let round = 1; round <= 5; round++) {
    const child = spawn(process.execPath, [writer, place.paths.state, place.file]);
    let said = 0;
    let count = 0;
    for await (const line of createInterface(child.stdout)) {
      said = Number(line);
      if (++count === 3 * round) child.kill('SIGKILL');
    }
    const [last] = value(listChanges(place.paths, always));
    assert.ok(last !== undefined && last.number >= said && said > 0);
    assert.equal(value(readChangeText(place.paths, said)).change.number, said);
  }
});

test('a full disk is a problem, and nothing is lost', { skip: mountProblem() }, (t) => {
  const place = placeOf(t);
  using disk = new SmallDisk(place.directory);
  const full = { ...place, paths: { ...place.paths, state: disk.path } };
  value(apply(full, policy('1%')));
  disk.fill();
  const noise = Array.from({ length: 60_000 }, () => Math.random().toString(36)).join('');
  const failed = apply(full, `<bulkhead version="1"><!--${noise}--></bulkhead>`);
  assert.match(failed.ok ? '' : failed.error.reason, /no space is left/);
  disk.free();
  value(apply(full, policy('2%')));
  assert.deepEqual(
    outcomes(full).map(([, , outcome]) => outcome),
    ['in force', 'in force'],
  );
});

/** The stores set files aside that are damaged or of another version. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import type { Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import { Database } from '../../src/store/database.ts';
import { HistoryReader } from '../../src/store/history/history-reader.ts';
import { metricsMigrations } from '../../src/store/metrics/metrics-schema.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import { done, hour, Place, start, value, query, numberIn, busyTick } from './samples.ts';

describe('stores with a damaged file', () => {
  const filled = (place: Place) => {
    using store = new MetricsStore(place.directory);
    for (let number = 1; number <= 200; number++) {
      assert.deepEqual(store.add(busyTick(number)), done);
    }
    return `${place.directory}/metrics.db`;
  };
  const overwrite = (file: string, position: number, bytes: number) => {
    const fd = openSync(file, 'r+');
    try {
      writeSync(fd, Buffer.alloc(bytes, 0xa5), 0, bytes, position);
    } finally {
      closeSync(fd);
    }
  };
  const expectNew = (place: Place) => {
    using store = new MetricsStore(place.directory);
    assert.deepEqual(store.add(busyTick(1_000)), done);
    const notes = store.takeNotes();
    assert.equal(notes.length, 1);
    assert.match(
      notes[0] ?? '',
      /^The history ".*" was replaced by a new one, since it is damaged.*; kept as "metrics\.db\.damaged-\d{8}T\d{9}Z"$/,
    );
    assert.deepEqual(store.takeNotes(), []);
    using reader = new HistoryReader(place.directory);
    const usage = reader.usage({ from: start, to: start + 3 * hour, metrics: ['cpu'] });
    assert.equal(value(usage).measuredSeconds, 5);
    assert.ok(readdirSync(place.directory).some((name) => name.includes('.damaged-')));
  };

  test('MetricsStore sets a file aside when it is garbage', () => {
    using place = new Place();
    writeFileSync(filled(place), Buffer.alloc(100_000, 'nonsense'));
    expectNew(place);
  });
  test('MetricsStore sets a file aside when its header was overwritten', () => {
    using place = new Place();
    overwrite(filled(place), 0, 4_096);
    expectNew(place);
  });
  test('MetricsStore sets a file aside when its schema was overwritten', () => {
    using place = new Place();
    overwrite(filled(place), 100, 3_996);
    expectNew(place);
  });
  test('MetricsStore sets a file aside when it was truncated', () => {
    using place = new Place();
    truncateSync(filled(place), 20_000);
    expectNew(place);
  });
  test('MetricsStore uses an empty file', () => {
    using place = new Place();
    truncateSync(filled(place), 0);
    using store = new MetricsStore(place.directory);
    assert.deepEqual(store.add(busyTick(1_000)), done);
    assert.deepEqual(store.takeNotes(), []);
  });
  test("MetricsStore sets a file aside when it is another program's", () => {
    using place = new Place();
    mkdirSync(place.directory, { mode: 0o700 });
    const db = new DatabaseSync(`${place.directory}/metrics.db`);
    db.exec('CREATE TABLE ticks (other TEXT); PRAGMA user_version = 1');
    db.close();
    using store = new MetricsStore(place.directory);
    assert.deepEqual(store.add(busyTick(1)), done);
    assert.equal(store.takeNotes().length, 1);
  });

  test('MetricsStore and HistoryReader notice damage while the file is open', () => {
    using place = new Place();
    const file = filled(place);
    using store = new MetricsStore(place.directory);
    using reader = new HistoryReader(place.directory);
    assert.deepEqual(store.add(busyTick(1_000)), done);
    const size = statSync(file).size;
    overwrite(file, 4_096, size - 4_096);
    // Pages in a connection's cache stay good for a while.
    const answers: Result<void, Problem>[] = [];
    let damage: string | undefined;
    for (let number = 1_001; number < 3_000 && damage === undefined; number++) {
      answers.push(store.add(busyTick(number)), store.rollUp(start + number * 5_000));
      const answer = reader.usage({ from: start, to: start + 20 * hour, metrics: ['cpu'] });
      if (!answer.ok) damage = answer.error.damage;
      if (readdirSync(place.directory).some((name) => name.includes('.damaged-'))) break;
    }
    if (damage !== undefined) assert.deepEqual(store.setAsideDamaged(damage), done);
    assert.deepEqual(store.add(busyTick(4_000)), done);
    assert.equal(store.takeNotes().length, 1);
    assert.deepEqual(
      answers.filter((each) => !each.ok),
      [],
    );
    const usage = reader.usage({ from: start, to: start + 20 * hour, metrics: ['cpu'] });
    assert.ok(value(usage).rows.size === 500);
    assert.equal(query(file, 'PRAGMA integrity_check')[0]?.['integrity_check'], 'ok');
  });

  test('MetricsStore keeps at most three damaged files', () => {
    using place = new Place();
    for (let round = 0; round < 5; round++) {
      writeFileSync(filled(place), 'nonsense '.repeat(1_000));
      using store = new MetricsStore(place.directory);
      assert.deepEqual(store.add(busyTick(1)), done);
    }
    const aside = readdirSync(place.directory).filter((name) => /\.damaged-[^-]*$/.test(name));
    assert.equal(aside.length, 3);
  });

  test('add() starts a new file when its own was removed or moved', () => {
    using place = new Place();
    const file = filled(place);
    using store = new MetricsStore(place.directory);
    assert.deepEqual(store.add(busyTick(1_000)), done);
    for (const name of readdirSync(place.directory)) {
      renameSync(`${place.directory}/${name}`, `${place.parent}/${name}`);
    }
    store.add(busyTick(1_001));
    assert.deepEqual(store.add(busyTick(1_002)), done);
    assert.ok(existsSync(file));
    assert.equal(query(file, 'PRAGMA integrity_check')[0]?.['integrity_check'], 'ok');
  });
});

describe('stores of another version', () => {
  test('MetricsStore sets a file of a newer version aside unchanged', () => {
    using place = new Place();
    {
      using store = new MetricsStore(place.directory);
      assert.deepEqual(store.add(busyTick(1)), done);
    }
    query(`${place.directory}/metrics.db`, 'PRAGMA user_version = 7');
    using store = new MetricsStore(place.directory);
    assert.deepEqual(store.add(busyTick(2)), done);
    assert.match(
      store.takeNotes()[0] ?? '',
      /it is of version 7, newer than this program; kept as "metrics\.db\.version-7"/,
    );
    assert.equal(
      numberIn(`${place.directory}/metrics.db.version-7`, 'SELECT count(*) FROM ticks'),
      1,
    );
  });

  test('MetricsStore migrates a file of an older version with its rows', () => {
    using place = new Place();
    {
      using store = new MetricsStore(place.directory);
      assert.deepEqual(store.add(busyTick(1)), done);
    }
    const next = 'ALTER TABLE ticks ADD COLUMN extra TEXT';
    {
      using store = new MetricsStore(place.directory, { migrations: [...metricsMigrations, next] });
      assert.deepEqual(store.add(busyTick(2)), done);
      assert.deepEqual(store.takeNotes(), []);
    }
    const file = `${place.directory}/metrics.db`;
    assert.equal(numberIn(file, 'PRAGMA user_version'), 2);
    assert.equal(numberIn(file, 'SELECT count(*) FROM ticks WHERE extra IS NULL'), 2);
  });

  test('Database changes nothing when a migration fails', () => {
    using place = new Place();
    const options = {
      directory: place.directory,
      name: 'test.db',
      title: 'test',
      synchronous: 'FULL',
      pageBytes: 4_096,
      prepare: () => undefined,
    } as const;
    const first = 'CREATE TABLE one (a)';
    {
      using database = new Database({ ...options, migrations: [first] });
      value(database.run('use', () => undefined));
    }
    const broken = () => {
      throw Object.assign(new Error('disk I/O error'), { errcode: 10, errstr: 'disk I/O error' });
    };
    {
      using database = new Database({
        ...options,
        migrations: [first, 'CREATE TABLE two (b)', (db) => (db.exec('DROP TABLE one'), broken())],
      });
      assert.equal(database.run('use', () => undefined).ok, false);
    }
    const file = `${place.directory}/test.db`;
    assert.equal(numberIn(file, 'PRAGMA user_version'), 2);
    assert.equal(
      numberIn(file, "SELECT count(*) FROM sqlite_schema WHERE name IN ('one', 'two')"),
      2,
    );
  });
});

/** The files after the writer is killed, the disk is full, or bytes are overwritten. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { formatProblem, type Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import { Database } from '../../src/store/database.ts';
import { EventStore } from '../../src/store/events/event-store.ts';
import { HistoryReader } from '../../src/store/history/history-reader.ts';
import { metricsMigrations } from '../../src/store/metrics/metrics-schema.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import { metricKeys } from '../../src/usage/metrics.ts';
import { done, hour, Place, rollUpAll, settings, start, tickOf, value } from './samples.ts';

const isRoot = process.getuid?.() === 0;
const rootOnly = isRoot ? false : 'only root can do this';

class SmallDisk implements Disposable {
  readonly path: string;

  constructor(parent: string) {
    this.path = `${parent}/disk`;
    mkdirSync(this.path);
    const options = 'size=4m,mode=0755';
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'bulkhead-store-test', this.path], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  /** Leaves some pages. */
  fill(): void {
    const fd = openSync(`${this.path}/filler`, 'w');
    try {
      for (;;) writeSync(fd, Buffer.alloc(4_096));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    } finally {
      closeSync(fd);
    }
  }

  free(): void {
    rmSync(`${this.path}/filler`);
  }

  [Symbol.dispose](): void {
    execFileSync('umount', ['--lazy', this.path]);
  }
}

const query = (file: string, sql: string) => {
  const db = new DatabaseSync(file);
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
};
const numberIn = (file: string, sql: string) => Number(Object.values(query(file, sql)[0] ?? {})[0]);

const wide = Object.fromEntries(metricKeys.map((key, index) => [key, index + 1]));
const busyTick = (number: number, members = 500) =>
  tickOf(
    start + number * 5_000,
    Object.fromEntries(Array.from({ length: members }, (_, index) => [`u${index}`, wide])),
  );

describe('stores after SIGKILL', () => {
  test('add() keeps everything it reported when the process is killed', async () => {
    using place = new Place();
    const files = ['metrics.db', 'events.db'].map((name) => `${place.directory}/${name}`);
    const [metrics = '', events = ''] = files;
    let ticks = 0;
    let incidents = 0;
    for (let round = 0; round < 10; round++) {
      const said = await killAfter(place.directory, ticks, 40 + round * 17);
      for (const file of files) {
        assert.equal(query(file, 'PRAGMA integrity_check')[0]?.['integrity_check'], 'ok');
      }
      ticks = numberIn(metrics, 'SELECT max(id) FROM ticks');
      assert.ok(ticks >= said.tick && ticks <= said.tick + 1, `${ticks} of ${said.tick}`);
      assert.equal(numberIn(metrics, 'SELECT count(*) FROM ticks'), ticks);
      incidents = numberIn(events, 'SELECT count(*) FROM incidents');
      assert.ok(incidents >= said.incident, `${incidents} of ${said.incident}`);
      assert.equal(numberIn(events, 'SELECT coalesce(sum(count), 0) FROM faults'), incidents);
    }
    assert.ok(ticks > 300);
    {
      using store = new MetricsStore(place.directory);
      rollUpAll(store, start + (ticks + 120) * 60_000);
      assert.deepEqual(store.takeNotes(), []);
    }
    const runs = query(metrics, 'SELECT first, last FROM hours ORDER BY id');
    const firsts = runs.map((run) => run['first']);
    assert.deepEqual(firsts, [1, ...runs.slice(0, -1).map((run) => Number(run['last']) + 1)]);
    assert.equal(numberIn(metrics, 'SELECT sum(ticks) FROM hours'), ticks);
  });
});

async function killAfter(directory: string, from: number, lines: number) {
  const writer = new URL('writer.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [writer, directory, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const said = { tick: from, incident: 0 };
  let count = 0;
  for await (const line of createInterface(child.stdout)) {
    const [kind, number] = line.split(' ');
    if (kind === 'tick') said.tick = Number(number);
    if (kind === 'incident') said.incident = Number(number);
    if (++count === lines) child.kill('SIGKILL');
  }
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  return said;
}

describe('stores on a full disk', { skip: mountProblem() }, () => {
  test('add() reports a full disk, and writes again when there is space', () => {
    using place = new Place();
    using disk = new SmallDisk(place.parent);
    using store = new MetricsStore(`${disk.path}/history`);
    using events = new EventStore(`${disk.path}/history`);
    assert.deepEqual(store.add(busyTick(1)), done);
    assert.deepEqual(events.recordAlert('before', 1), done);
    disk.fill();
    const problems: Problem[] = [];
    let number = 2;
    for (; number < 2_000 && problems.length < 20; number++) {
      const added = store.add(busyTick(number));
      if (!added.ok) problems.push(added.error);
      store.rollUp(start + number * 5_000);
      store.prune(start + number * 5_000, settings);
    }
    assert.equal(problems.length, 20);
    assert.deepEqual(problems[0], {
      action: 'write the history',
      object: `${disk.path}/history/metrics.db`,
      reason: 'no space is left on its file system',
    });
    let recorded = events.recordAlert('key', 0);
    for (let key = 0; key < 2_000 && recorded.ok; key++) {
      recorded = events.recordAlert(`key ${key} ${'x'.repeat(2_000)}`, key);
    }
    assert.match(recorded.ok ? '' : recorded.error.reason, /no space is left/);
    disk.free();
    assert.deepEqual(store.add(busyTick(number)), done);
    assert.deepEqual(events.recordAlert('after', 2), done);
    assert.equal(events.lastAlert('before'), 1);
    assert.equal(events.lastAlert('after'), 2);
    assert.deepEqual([...store.takeNotes(), ...events.takeNotes()], []);
    using reader = new HistoryReader(`${disk.path}/history`);
    const usage = reader.usage({ from: start, to: start + hour * 3, metrics: ['cpu'] });
    assert.equal(value(usage).rows.size, 500);
  });

  test('transaction() writes nothing when the disk fills up during it', () => {
    using place = new Place();
    using disk = new SmallDisk(place.parent);
    using events = new EventStore(`${disk.path}/history`);
    assert.deepEqual(events.recordAlert('before', 1), done);
    disk.fill();
    const written = events.transaction(() => {
      for (let key = 0; key < 4_000; key++) {
        events.recordAlert(`${key} ${'y'.repeat(4_000)}`, key);
        // Records that would fit again after the failure must not be written either.
        events.recordAlert(`${key}`, key);
      }
    });
    assert.equal(written.ok, false);
    assert.equal(numberIn(`${disk.path}/history/events.db`, 'SELECT count(*) FROM alerts'), 1);
    assert.equal(events.lastAlert(`0 ${'y'.repeat(4_000)}`), undefined);
    disk.free();
    assert.equal(events.transaction(() => events.recordAlert('after', 2)).ok, true);
    assert.equal(events.lastAlert('after'), 2);
  });
});

function mountProblem(): string | false {
  if (!isRoot) return 'only root can mount';
  using place = new Place();
  try {
    new SmallDisk(place.parent)[Symbol.dispose]();
    return false;
  } catch (error) {
    return `cannot mount a tmpfs here: ${(error as Error).message}`;
  }
}

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

describe('the directory of stores', () => {
  const problemOf = (directory: string) => {
    using store = new MetricsStore(directory);
    const added = store.add(busyTick(1));
    return added.ok ? 'no problem' : formatProblem(added.error);
  };
  const modeOf = (path: string) => statSync(path).mode & 0o777;

  test('MetricsStore makes directory and files private when others can read them', () => {
    using place = new Place();
    mkdirSync(place.directory, { mode: 0o755 });
    writeFileSync(`${place.directory}/metrics.db`, '', { mode: 0o644 });
    using store = new MetricsStore(place.directory);
    assert.deepEqual(store.add(busyTick(1)), done);
    assert.equal(modeOf(place.directory), 0o700);
    for (const name of readdirSync(place.directory)) {
      assert.equal(modeOf(`${place.directory}/${name}`), 0o600, name);
    }
  });
  test('MetricsStore refuses a directory that is a symbolic link', () => {
    using place = new Place();
    mkdirSync(`${place.parent}/elsewhere`);
    symlinkSync('elsewhere', place.directory);
    assert.match(
      problemOf(place.directory),
      /^Cannot use the directory ".*": it is a symbolic link/,
    );
    assert.deepEqual(readdirSync(`${place.parent}/elsewhere`), []);
  });
  test('MetricsStore refuses a file that is a symbolic or hard link', () => {
    using place = new Place();
    mkdirSync(place.directory, { mode: 0o700 });
    const victim = `${place.parent}/victim`;
    symlinkSync(victim, `${place.directory}/metrics.db`);
    assert.match(problemOf(place.directory), /^Cannot use ".*": it is a symbolic link$/);
    assert.equal(existsSync(victim), false);
    rmSync(`${place.directory}/metrics.db`);
    writeFileSync(victim, '');
    linkSync(victim, `${place.directory}/metrics.db`);
    assert.match(problemOf(place.directory), /it has a second name/);
    assert.equal(statSync(victim).size, 0);
  });
  test('MetricsStore refuses a directory or file of another user', { skip: rootOnly }, () => {
    using place = new Place();
    mkdirSync(place.directory, { mode: 0o700 });
    chownSync(place.directory, 65_534, 65_534);
    assert.match(problemOf(place.directory), /it belongs to uid 65534; run:? chown root/);
    chownSync(place.directory, 0, 0);
    writeFileSync(`${place.directory}/metrics.db`, '');
    chownSync(`${place.directory}/metrics.db`, 65_534, 65_534);
    chmodSync(`${place.directory}/metrics.db`, 0o666);
    assert.match(problemOf(place.directory), /it belongs to uid 65534; run:? chown root/);
  });
});

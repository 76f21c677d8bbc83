/** The stores refuse directories and files that others control. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { describe, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import { done, Place, busyTick } from './samples.ts';

const rootOnly = process.getuid?.() === 0 ? false : 'only root can do this';

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

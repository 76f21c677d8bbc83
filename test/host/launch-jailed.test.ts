import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { test } from 'node:test';
import {
  addJailed,
  addJailedSites,
  jailedFile,
  jailedSitesFile,
  settleJailed,
  settleJailedSites,
} from '../../src/host/cgroups/launch-jailed.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const alice = { uid: 1001, user: 'alice' };

test('the lists of jails are added to and settled', () => {
  using directory = temporaryDirectory('launch-jailed');
  const paths = { etc: directory.path, state: `${directory.path}/state` };
  assert.ok(addJailed(paths, [alice]).ok);
  assert.equal(readFileSync(jailedFile(paths.state), 'utf8'), '1001\nalice\n');
  assert.ok(addJailedSites(paths.state, ['1001-a.example']).ok);
  assert.ok(settleJailed(paths, [], () => false).ok);
  assert.ok(settleJailedSites(paths.state, [], () => true).ok);
  assert.ok(!existsSync(jailedFile(paths.state)));
  assert.equal(readFileSync(jailedSitesFile(paths.state), 'utf8'), '1001-a.example\n');
});

test('a list that cannot be read is reported, and nothing is written in its place', () => {
  using directory = temporaryDirectory('launch-jailed');
  const paths = { etc: directory.path, state: `${directory.path}/state` };
  mkdirSync(paths.state);
  for (const path of [jailedFile(paths.state), jailedSitesFile(paths.state)])
    // A link to itself cannot be read, and is there.
    symlinkSync(path, path);
  const all = [
    addJailed(paths, [alice]),
    settleJailed(paths, [alice], () => false),
    addJailedSites(paths.state, ['1001-a.example']),
    settleJailedSites(paths.state, [], () => false),
  ];
  for (const each of all) {
    assert.ok(!each.ok);
    assert.equal(each.error.action, 'read');
  }
  rmSync(jailedFile(paths.state));
  assert.ok(addJailed(paths, [alice]).ok);
});

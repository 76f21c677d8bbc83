/** bulkhead-fpm in a slice, before a policy is in force: sites that had a jail when the machine was started. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, suite, test } from 'node:test';
import { compileFpm } from '../../../scripts/entry.ts';
import {
  addJailedSites,
  jailedSitesFile,
  settleJailedSites,
} from '../../../src/host/cgroups/launch-jailed.ts';
import { patienceMilliseconds } from '../../../testing/patience.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';

const instance = `bulkhead-fpm-sites-${process.pid}`;
const skip = process.getuid?.() === 0 ? false : 'needs root';
const [uid, site] = [7_000_102, 'shop.example'];

suite('bulkhead-fpm of a site', { skip }, () => {
  const launcher = compileFpm();
  const program = `${suiteDirectory('fpm-sites', undefined, 0o755)}/program`;
  const state = `/var/lib/${instance}`;
  writeFileSync(program, '#!/bin/sh\necho ran\n', { mode: 0o755 });

  const start = (mode: 'slice' | 'slice-root', ...of: readonly string[]) => {
    const who = mode === 'slice' ? `${uid}:${uid}` : `${uid}`;
    return spawnSync(launcher, [mode, instance, who, program, '/x.conf', ...of], {
      env: { LISTEN_FDNAMES: '/run/a.sock' },
      encoding: 'utf8',
      timeout: patienceMilliseconds,
    });
  };
  after(() => rmSync(state, { recursive: true, force: true }));

  test('starts no site in a slice that had a jail before the machine was started', () => {
    mkdirSync(state);
    const refuse = (reason: RegExp) => {
      for (const mode of ['slice', 'slice-root'] as const) {
        const { status, stdout, stderr } = start(mode, site);
        assert.deepEqual([status, stdout], [1, ''], mode);
        assert.match(stderr, reason, mode);
      }
    };
    const starts = (...of: readonly string[]) =>
      assert.equal(start('slice-root', ...of).stdout, 'ran\n');
    assert.ok(addJailedSites(state, [`${uid}-${site}`, `${uid}-${'a.'.repeat(120)}example`]).ok);
    refuse(/its jail is not there any more, or not yet; run bulkhead apply/);
    starts();
    starts('other.example');
    starts('hop.example');
    chmodSync(jailedSitesFile(state), 0o666);
    refuse(/whether it has a jail cannot be read: others than root can change it/);
    assert.ok(settleJailedSites(state, [], () => false).ok);
    starts(site);
  });

  test('reads the list of addJailedSites() until settleJailedSites() removes the site', () => {
    const keys = () => readFileSync(jailedSitesFile(state), 'utf8');
    assert.ok(addJailedSites(state, ['7-b.example', '5-a.example']).ok);
    assert.ok(addJailedSites(state, ['7-a.example']).ok);
    assert.equal(keys(), '5-a.example\n7-a.example\n7-b.example\n');
    const isKept = (key: string) => key === '5-a.example';
    assert.ok(settleJailedSites(state, ['7-a.example'], isKept).ok);
    assert.equal(keys(), '5-a.example\n7-a.example\n');
    assert.ok(settleJailedSites(state, [], () => false).ok);
    assert.ok(!existsSync(jailedSitesFile(state)));
  });
});

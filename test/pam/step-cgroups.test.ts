/** The placing part of the PAM module with tenants whose cgroup is another than usual, or cannot be joined. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { pathsOf } from '../../src/host/paths.ts';
import { knownEvents } from '../../src/placement/io/known-events.ts';
import {
  assertOutcome,
  everywhere,
  instance,
  isV2,
  makeTenant,
  open,
  removeCgroup,
  roots,
  skip,
  strictly,
  uid,
  user,
  useTenant,
} from './step-stage.ts';

const resellerUid = 7_100_000;

describe('pam_bulkhead.so place in the tree of cgroups', { skip }, () => {
  useTenant();

  test('moves a tenant below its reseller', async () => {
    for (const root of roots) await removeCgroup(`${root}/u${uid}`);
    const below = `r${resellerUid}/u${uid}`;
    makeTenant(below);
    try {
      assertOutcome(await open(), { opened: true, places: roots.map(() => below) });
    } finally {
      for (const root of roots) await removeCgroup(`${root}/r${resellerUid}`);
      makeTenant(`u${uid}`);
    }
  });

  test('moves a tenant with sites into "main"', async () => {
    makeTenant(`u${uid}/main`);
    try {
      assertOutcome(await open(), { opened: true, places: roots.map(() => `u${uid}/main`) });
    } finally {
      for (const root of roots) await removeCgroup(`${root}/u${uid}/main`);
    }
  });

  test('joins the other hierarchies when one refuses', async () => {
    const [first] = roots;
    const last = roots.at(-1) ?? '';
    if (first === last) return;
    await removeCgroup(`${last}/u${uid}`);
    try {
      const { places, log } = await open();
      assert.equal(places.length, roots.length - 1);
      assert.match(log, /nobody is not placed: .* cannot be joined/);
    } finally {
      makeTenant(`u${uid}`);
    }
  });

  test('does not enter a frozen cgroup, and placement events say that it is frozen', async () => {
    const [file, on, off] = isV2
      ? [`${roots[0]}/u${uid}/cgroup.freeze`, '1', '0']
      : [`/sys/fs/cgroup/freezer/${instance}/u${uid}/freezer.state`, 'FROZEN', 'THAWED'];
    if (!fs.existsSync(file)) return;
    const started = {
      nanoseconds: process.hrtime.bigint(),
      cgroup: 0n,
      pid: 0,
      from: 0,
      to: uid,
      tenant: uid,
      what: 'uid',
      passed: false,
      command: 'su',
      name: '',
      unit: '',
    } as const;
    const advice = (parent: number) =>
      knownEvents([{ ...started, parent }], pathsOf(instance))[0]?.advice ?? '';
    fs.writeFileSync(file, on);
    try {
      const session = await open();
      assert.equal(session.places.length, roots.length - 1);
      assert.match(session.log, /nobody is not placed: .* is frozen/);
      assert.doesNotMatch(advice(session.pid), /frozen/);
      // Strict placement is told why.
      const strict = await open(user, 'login', strictly);
      assert.match(advice(strict.pid), /^\/sys\/fs\/cgroup\/.* is frozen$/);
      assert.doesNotMatch(advice(strict.pid + 256), /frozen/);
    } finally {
      fs.writeFileSync(file, off);
    }
    assertOutcome(await open(), everywhere);
  });
});

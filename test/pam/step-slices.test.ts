/** The placing part of the PAM module with tenants that have systemd slices. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { after, afterEach, before, describe, test } from 'node:test';
import {
  assertOutcome,
  elsewhere,
  everywhere,
  instance,
  isV2,
  launch,
  linesOf,
  open,
  outcomeOf,
  refused,
  removeCgroup,
  roots,
  runtime,
  scratch,
  skip,
  start,
  strictly,
  uid,
  user,
  useTenant,
  whileStopped,
  writeService,
} from './step-stage.ts';

/** A line that is jumped over, as pam_systemd's is. */
const standIn = 'session optional pam_permit.so';

const runsSystemd = fs.existsSync('/run/systemd/system') ? 'systemd makes it' : false;

const frozenFile = (cgroup: string) =>
  isV2 ? ([`${cgroup}/cgroup.freeze`, '1', '0'] as const) : undefined;

describe('with tenants as systemd slices', { skip }, () => {
  // One hierarchy is enough: on v2, which systemd has, there is one.
  const [root = ''] = roots;
  const slices = `${root}/slices`;
  const slice = `${slices}/user-${uid}.slice`;
  const scope = `${slice}/${instance}-${uid}.scope`;
  const settings = `/etc/systemd/system/user-${uid}.slice.d`;
  const inScope = { opened: true, places: [scope.slice(`${root}/`.length)] };

  after(() => {
    fs.rmSync(`${settings}/90-${instance}.conf`, { force: true });
    if (fs.existsSync(settings) && fs.readdirSync(settings).length === 0) fs.rmdirSync(settings);
  });
  useTenant();
  before(() => {
    fs.mkdirSync(settings, { recursive: true });
    fs.writeFileSync(`${settings}/90-${instance}.conf`, '');
    const text = launch.replace('root', `slices ${slices}\nroot`);
    fs.writeFileSync(`${runtime}/launch`, text);
  });
  afterEach(() => removeCgroup(slice));

  test('moves the process into the scope of the slice', async () => {
    fs.mkdirSync(scope, { recursive: true });
    assertOutcome(await open(user, 'cron'), inScope);
  });

  test('leaves sessions to pam_systemd where it follows, but for those within others', async () => {
    fs.mkdirSync(scope, { recursive: true });
    for (const name of ['sshd', 'su']) writeService(name, ...linesOf(true), standIn);
    assertOutcome(await open(user, 'sshd'), elsewhere);
    assertOutcome(await open(user, 'su'), inScope);
  });

  test('gives up soon when systemd makes no scope', { skip: runsSystemd }, async () => {
    const session = await open(user, 'cron');
    assertOutcome(session, elsewhere);
    assert.match(session.log, /not placed: systemd made no scope in .* within 1 s/);
  });

  test('moves nobody when the launch file has a wrong slice directory', async () => {
    const text = fs.readFileSync(`${runtime}/launch`, 'utf8');
    try {
      for (const path of [scratch, `${slices}/..`, '']) {
        fs.writeFileSync(`${runtime}/launch`, text.replace(slices, path));
        assertOutcome(await open(), elsewhere, path);
      }
    } finally {
      fs.writeFileSync(`${runtime}/launch`, text);
    }
  });

  test('waits for a late scope when placement is strict', { skip: runsSystemd }, async () => {
    const outcome = outcomeOf(start(user, 'cron', strictly));
    // Longer than it would wait if placement were not strict.
    await setTimeout(1500);
    fs.mkdirSync(scope, { recursive: true });
    assertOutcome(await outcome, inScope);
  });

  test('opens no session when the tenant is stopped meanwhile', { skip: runsSystemd }, async () => {
    const outcome = outcomeOf(start(user, 'cron', strictly));
    await setTimeout(500);
    await whileStopped(uid, async () => {
      fs.mkdirSync(scope, { recursive: true });
      assertOutcome(await outcome, refused);
    });
  });

  test('does not enter a frozen slice', { skip: frozenFile(slice) === undefined }, async () => {
    fs.mkdirSync(scope, { recursive: true });
    const [file = '', on = '', off = ''] = frozenFile(slice) ?? [];
    fs.writeFileSync(file, on);
    try {
      assertOutcome(await open(user, 'cron'), elsewhere);
    } finally {
      fs.writeFileSync(file, off);
    }
  });

  test('moves a tenant without a slice into the tree', async () => {
    fs.renameSync(`${settings}/90-${instance}.conf`, `${settings}/90-${instance}.conf~`);
    try {
      assertOutcome(await open(), everywhere);
    } finally {
      fs.renameSync(`${settings}/90-${instance}.conf~`, `${settings}/90-${instance}.conf`);
    }
  });
});

/** A host in a fleet, with a real agent: it takes releases, watches its tenants, and goes back by itself. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jsonOf } from '../../testing/json-output.ts';
import type { FleetResponse } from '../../src/agent/api/fleet-api.ts';
import type {
  FleetAcceptJson,
  FleetJoinJson,
  FleetLeaveJson,
  FleetTrustResetJson,
} from '../../src/fleet/commands/host/json.ts';
import { HostStage } from './host-stage.ts';

const stage = new HostStage('bulkhead-fleet-host', 897_000);
const { skip, uids } = stage;
const [first = 0] = uids;
const limit = (processes: number) => `<defaults><processes limit="${processes}"/></defaults>`;
const outcomeOf = (text: string) => jsonOf<FleetAcceptJson>('fleet accept', text);

describe('a host in a fleet', { skip }, () => {
  stage.register(false);

  test('takes a release right after it has joined, watches it, and is healthy', async () => {
    const file = stage.release(1, limit(100));
    const done = await stage.cli('accept', file, '--wait', '10min', '--json');
    assert.equal(done.status, 0, `${done.stderr}${done.stdout}\n${stage.agent.log}`);
    const found = outcomeOf(done.stdout);
    assert.equal(found.outcome, 'healthy');
    assert.equal(found.release?.generation, 1);
    assert.equal(stage.processesMax(first), '100');
    assert.match(done.stderr, /generation 1: watching/);
    const again = await stage.cli('accept', file, '--wait', '10min');
    assert.equal(again.status, 0, again.stderr);
  });

  test('keeps what it was told to keep, and takes the same release again as done', async () => {
    const keep = await stage.cli('keep', '--json');
    assert.equal(jsonOf<FleetResponse>('fleet keep', keep.stdout).confirmedGeneration, 1);
    const status = await stage.cli('status', '--json');
    assert.equal(jsonOf<FleetResponse>('fleet status', status.stdout).state, 'confirmed');
    const again = await stage.cli('accept', stage.release(1, limit(100)), '--json');
    assert.equal(again.status, 4, again.stdout);
    assert.match(outcomeOf(again.stdout).reason ?? '', /fork/);
  });

  test('goes back by itself from a release that harms tenants, and their limits are as before', async () => {
    const file = stage.release(2, limit(5), { watchSeconds: 3600 });
    const waiting = stage.cli('accept', file, '--wait', '1h', '--json');
    await stage.until('it watches', ({ state }) => state === 'watching');
    assert.equal(stage.processesMax(first), '5');
    for (const uid of uids.slice(0, 3))
      stage.runAs(
        uid,
        `until grep -q '/${stage.instance}' /proc/self/cgroup; do sleep 0.1; done; sleep 0.2
        while :; do for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; sleep 1; done`,
      );
    const done = await waiting;
    assert.equal(done.status, 3, `${done.stderr}${done.stdout}\n${stage.agent.log}`);
    const found = outcomeOf(done.stdout);
    assert.equal(found.outcome, 'rolled back');
    assert.match(found.reason ?? '', /^3 tenants had processes killed or refused/);
    assert.equal(found.release?.generation, 1);
    assert.equal(stage.processesMax(first), '100');
    const again = await stage.cli('accept', file);
    assert.equal(again.status, 3, again.stderr);
    assert.match(again.stderr, /Generation 2 was rolled back: .*Generation 1 is in force/);
  });

  test('refuses a release whose policy has errors on this host', async () => {
    const file = stage.release(3, `${limit(100)}<tenant uid="${first}" package="none-such"/>`);
    const done = await stage.cli('accept', file);
    assert.equal(done.status, 4, done.stderr);
    assert.match(done.stderr, /none-such/);
    const state = await stage.state();
    assert.equal(state.state, 'refused');
    assert.equal(state.release?.generation, 1);
    assert.equal(stage.processesMax(first), '100');
  });

  test('changes nothing while root holds it', async () => {
    const held = await stage.cli('hold', '--for', '1h', '--reason', 'disk is replaced', '--json');
    assert.equal(held.status, 0, held.stderr);
    assert.equal(jsonOf<FleetResponse>('fleet hold', held.stdout).state, 'held');
    const refused = await stage.cli('accept', stage.release(4, limit(90)));
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /root holds this host for \d+ s more: disk is replaced/);
    const resumed = await stage.cli('resume', '--json');
    assert.equal(jsonOf<FleetResponse>('fleet resume', resumed.stdout).hold, undefined);
  });

  test('back works during the watch, also of a release with an account that does not exist yet', async () => {
    const policy = `${limit(80)}<tenant user="no-such-account"/>`;
    const file = stage.release(5, policy, { watchSeconds: 3600 });
    assert.equal((await stage.cli('accept', file)).status, 0);
    await stage.until('it watches', ({ state }) => state === 'watching');
    assert.equal(stage.processesMax(first), '80');
    const busy = await stage.cli('accept', stage.release(6, limit(70)));
    assert.equal(busy.status, 1);
    assert.match(busy.stderr, /generation 5 is watching/);
    const back = await stage.cli('back', '--json');
    assert.equal(jsonOf<FleetResponse>('fleet back', back.stdout).state, 'going back');
    const state = await stage.until('it is back', (each) => each.release?.generation === 1);
    assert.equal(state.ended?.outcome, 'rolled back');
    assert.equal(stage.processesMax(first), '100');
  });

  test('shows who signs before anything is written, and takes another trust only from root', async () => {
    const trust = `${stage.agent.directory}/trust.json`;
    const policy = ['-p', stage.agent.policyFile];
    const shown = await stage.cli('join', trust, '--host', 'web-001', '--dry-run', '--json');
    const join = jsonOf<FleetJoinJson>('fleet join', shown.stdout);
    const [alice] = join.people;
    assert.match(alice?.fingerprint ?? '', /^SHA256:[\w+/]{43}$/);
    assert.equal(join.joined, false);
    const other = await stage.cli('join', trust, '--host', 'web-002', '--yes', ...policy);
    assert.equal(other.status, 1);
    assert.match(other.stderr, /it is "web-001" of the fleet "example" already/);
    assert.equal((await stage.cli('join', trust, '--host', 'web-001', ...policy)).status, 1);
    const reset = await stage.cli('trust', 'reset', trust, '--yes', '--json');
    const { people } = jsonOf<FleetTrustResetJson>('fleet trust reset', reset.stdout);
    assert.deepEqual(people, join.people);
    assert.equal((await stage.cliAs(first, 'trust', 'reset', trust, '--yes')).status, 1);
  });

  test('shows the policy that leaving would write, and which release is in force in metrics', async () => {
    const file = ['-p', stage.agent.policyFile];
    const leave = await stage.cli('leave', '--keep', '--dry-run', '--json', ...file);
    const { text, left } = jsonOf<FleetLeaveJson>('fleet leave', leave.stdout);
    assert.equal(left, false);
    assert.match(text, /<processes limit="100"\/>/);
    assert.doesNotMatch(text, /<fleet/);
    assert.equal((await stage.cli('leave', ...file)).status, 2);
    const metrics = (await stage.agent.ask('/metrics')).text;
    assert.match(metrics, /^bulkhead_fleet_generation 1$/m);
    assert.match(metrics, /^bulkhead_fleet_state\{state="confirmed"\} 1$/m);
  });
});

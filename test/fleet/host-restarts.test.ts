/** A host in a fleet whose agent is killed, stopped and started anew, and whose policy root edits meanwhile. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HostStore } from '../../src/fleet/io/host-store.ts';
import { HostStage } from './host-stage.ts';

const stage = new HostStage('bulkhead-fleet-kill', 897_100);
const { skip, uids } = stage;
const [first = 0] = uids;
const limit = (processes: number) => `<defaults><processes limit="${processes}"/></defaults>`;
const long = { watchSeconds: 3600 };

describe('a host in a fleet whose agent ends', { skip }, () => {
  stage.register();

  const accept = async (generation: number, processes: number) => {
    const done = await stage.cli('accept', stage.release(generation, limit(processes), long));
    assert.equal(done.status, 0, done.stderr);
  };
  const watching = (generation: number) =>
    stage.until(`it watches ${generation}`, ({ release }) => release?.phase === 'watching');
  const backOn = (generation: number) =>
    stage.until(
      `it is back on ${generation}`,
      ({ release }) => release?.generation === generation && release.phase === 'confirmed',
    );

  test('an agent that is killed in the watch starts with the confirmed release', async () => {
    const file = stage.release(1, limit(100), { watchSeconds: 1 });
    assert.equal((await stage.cli('accept', file, '--wait', '10min')).status, 0);
    assert.equal((await stage.cli('keep')).status, 0);
    await accept(2, 60);
    await watching(2);
    assert.equal(stage.processesMax(first), '60');
    await stage.agent.stop('SIGKILL');
    await stage.agent.start();
    const state = await backOn(1);
    assert.match(state.ended?.reasons.join() ?? '', /ended during the watch/);
    assert.equal(stage.processesMax(first), '100');
  });

  test('an agent that is stopped in the watch leaves it to the next one', async () => {
    await accept(3, 70);
    await watching(3);
    await stage.agent.stop();
    assert.equal(stage.processesMax(first), '70');
    await stage.agent.start();
    await watching(3);
    assert.equal(stage.processesMax(first), '70');
    assert.equal((await stage.cli('back')).status, 0);
    await backOn(1);
  });

  test('an agent that is killed on a release twice is not killed by it a third time', async () => {
    const store = new HostStore(stage.directory);
    const tries = () => {
      const state = store.readState();
      return state.ok ? state.value?.current?.tries : undefined;
    };
    await accept(4, 50);
    await stage.agent.stop('SIGKILL');
    const killed = store.readState();
    assert.ok(killed.ok && killed.value?.current?.release.generation === 4);
    if (killed.value.current.phase === 'applying') {
      const starting = stage.agent.start().catch(() => undefined);
      await stage.agent.until('the second agent has begun', () => tries() === 2);
      await stage.agent.stop('SIGKILL');
      void starting;
    }
    await stage.agent.start();
    await backOn(1);
    assert.equal(stage.processesMax(first), '100');
  });

  test('an agent that is killed while it goes back finishes that', async () => {
    await accept(5, 40);
    await watching(5);
    assert.equal((await stage.cli('back')).status, 0);
    await stage.agent.stop('SIGKILL');
    await stage.agent.start();
    await backOn(1);
    assert.equal(stage.processesMax(first), '100');
  });

  test("root's own limits count above the release, also when they change in the watch", async () => {
    await accept(6, 30);
    await watching(6);
    const own = `<defaults><processes limit="55"/></defaults>`;
    stage.agent.writePolicy(stage.membership() + stage.ownPolicy(own));
    await stage.agent.until("root's limit is in force", () => stage.processesMax(first) === '55');
    assert.equal((await stage.state()).state, 'watching');
    stage.agent.writePolicy(stage.membership() + stage.ownPolicy());
    await stage.agent.until("the release's is again", () => stage.processesMax(first) === '30');
  });

  test('a release that was not confirmed is dropped when <fleet> is removed', async () => {
    stage.agent.writePolicy(stage.ownPolicy());
    await stage.agent.until('no release is in force', () => stage.processesMax(first) !== '30');
    await stage.until('it is in no fleet', ({ state }) => state === 'none');
    stage.agent.writePolicy(stage.membership() + stage.ownPolicy());
    await backOn(1);
    await stage.agent.until('its limit is', () => stage.processesMax(first) === '100');
  });

  test('leave --keep keeps the limits, and takes everything of the fleet away', async () => {
    const left = await stage.cli('leave', '--keep', '-p', stage.agent.policyFile);
    assert.equal(left.status, 0, left.stderr);
    await stage.until('it is in no fleet', ({ state }) => state === 'none');
    assert.equal(new HostStore(stage.directory).exists(), false);
    assert.equal(stage.processesMax(first), '100');
  });
});

/** Another program changes limits that the agent has set: `doctor` says so, and a repeated apply ends it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { hostHere } from '../conformance/host-here.ts';
import { program, RunningAgent } from '../agent/running-agent.ts';
import { findTree } from '../cli/launch-stage.ts';

const instance = 'bulkhead-writer-test';
const here = hostHere(instance);
const uid = 64_256;

describe('another program that sets limits', { skip: 'skip' in here ? here.skip : false }, () => {
  const agent = 'skip' in here ? undefined : new RunningAgent(here.host);
  after(() => agent?.[Symbol.asyncDispose]());

  const run = (...args: readonly string[]) =>
    spawnSync(program, ['--instance', instance, ...args], { encoding: 'utf8' });
  const changed = () => {
    const { stdout, stderr } = run('doctor', '--json');
    assert.notEqual(stdout, '', stderr);
    return (JSON.parse(stdout) as { readonly changedByOthers?: readonly string[] }).changedByOthers;
  };

  test('is reported by doctor once it has changed a value, and not before', async () => {
    assert.ok(agent);
    assert.equal(changed(), undefined, 'without an agent it is unknown');
    agent.writePolicy(`<tenant uid="${uid}"><processes limit="9"/></tenant>`);
    await agent.start();
    assert.deepEqual(changed(), []);
    const file = findTree(instance)
      .roots.map((each) => `${each}/u${uid}/pids.max`)
      .find((each) => existsSync(each));
    assert.ok(file);
    writeFileSync(file, '50');
    assert.deepEqual(changed(), [`tenant uid ${uid}: pids.max is 50, the policy requires 9`]);
    assert.match(
      run('doctor').stdout.replaceAll(/\s+/g, ' '),
      /Note: Something else has changed limits since the agent applied the policy: .*pids\.max/,
    );
    const applied = run('apply', '--policy', agent.policyFile);
    assert.equal(applied.status, 0, applied.stderr);
    assert.equal(readFileSync(file, 'utf8'), '9\n');
    assert.deepEqual(changed(), []);
  });
});

/** Programs below the real mpm-itk: they run as the owner, begin in Apache's cgroup, and the agent moves them. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { after, suite, test } from 'node:test';
import { packageFile } from '../../../src/sys/package-files.ts';
import { showSelf, skip, SuexecStage } from './stage.ts';

suite('programs below mpm-itk', { skip }, () => {
  const stage = new SuexecStage('itk');
  let agent: ChildProcess | undefined;
  after(async () => {
    if (agent === undefined || agent.exitCode !== null) return;
    agent.kill('SIGTERM');
    await once(agent, 'exit');
  });
  stage.register();
  const inside = () => `/${stage.instance}/u${stage.uids.bob}`;

  test('run as the owner, outside its cgroup until the agent moves them', async () => {
    stage.write('bob', 'a.cgi', showSelf);
    const wait = `until grep -q '${inside()}$' /proc/self/cgroup; do sleep 0.02; done`;
    stage.write('bob', 'wait.cgi', `#!/bin/sh\necho; ${wait}; cat /proc/self/cgroup\n`);
    await stage.start('', 'AssignUserID');
    const { status, body } = await stage.ask('bob', '/a.cgi');
    assert.equal(status, 200, stage.log());
    assert.match(body, new RegExp(`^Uid:\\t${stage.uids.bob}\\t`, 'm'));
    assert.ok(!body.includes(inside()));
    const args = ['--instance', stage.instance, 'agent', '--policy', stage.policy];
    agent = spawn(packageFile('bulkhead'), args, { stdio: ['ignore', 'ignore', 'inherit'] });
    const moved = await stage.ask('bob', '/wait.cgi');
    assert.equal(moved.status, 200, stage.log());
    assert.ok(moved.body.includes(inside()));
  });
});

/** A real agent whose log is a pipe that nobody reads any more. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { hostHere } from '../conformance/host-here.ts';
import { RunningAgent } from './running-agent.ts';

const here = hostHere('bulkhead-log-test');
const skip = 'skip' in here ? here.skip : false;
const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

test('the agent outlives the reader of its log, and logs to the next one', { skip }, async () => {
  if ('skip' in here) return;
  await using agent = new RunningAgent(here.host);
  agent.writePolicy('<agent interval="1s"/><tenant uid="882101"><processes limit="20"/></tenant>');
  const pipe = `${agent.directory}/log`;
  execFileSync('mkfifo', [pipe]);
  const reader = openSync(pipe, O_RDONLY | O_NONBLOCK);
  const writer = openSync(pipe, O_WRONLY);
  await agent.start({}, writer);
  closeSync(writer);
  const { pid } = await agent.status();
  closeSync(reader);
  const policyProblems = async () => (await agent.status()).policy.problems.length;
  writeFileSync(agent.policyFile, '<bulkhead version="1"><tenat/></bulkhead>');
  // It logs each error in the policy.
  await agent.until('it has read the broken policy', async () => (await policyProblems()) > 0);
  const next = openSync(pipe, O_RDONLY | O_NONBLOCK);
  agent.writePolicy('<agent interval="1s"/><tenant uid="882101"><processes limit="21"/></tenant>');
  await agent.until('it has read the policy again', async () => (await policyProblems()) === 0);
  let text = '';
  await agent.until('it logs again', () => {
    const bytes = Buffer.alloc(65_536);
    text += bytes.subarray(0, readOrNothing(next, bytes)).toString();
    return /The log lost \d+ lines before the last one/.test(text);
  });
  closeSync(next);
  assert.equal((await agent.status()).pid, pid);
});

/** Reads what there is; a pipe without anything in it is an error of a reader that does not wait. */
function readOrNothing(fd: number, bytes: Buffer): number {
  try {
    return readSync(fd, bytes);
  } catch {
    return 0;
  }
}

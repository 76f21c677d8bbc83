/** The command line, as a process of its own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { program } from '../agent/running-agent.ts';

/** Runs a command of an instance that must succeed. */
export function runBulkhead(instance: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, ['--instance', instance, ...args], (error, stdout, stderr) => {
      assert.equal(error, null, stderr);
      resolve(stdout);
    });
  });
}

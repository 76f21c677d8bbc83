/** The desk of somebody who runs a fleet: a home with keys of its own, and the commands as people run them there. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { mainFile } from '../../testing/program.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

/** Makes a desk for one file of tests, with a key for each name. */
export function makeDesk(name: string, people: readonly string[]) {
  const home = suiteDirectory(name);
  const key = (person: string) => join(home, person);
  for (const each of people)
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', each, '-f', key(each)]);
  // Nobody's own keys and agent.
  const env = { ...process.env, HOME: home, SSH_AUTH_SOCK: '', NO_COLOR: '1' };
  const run = (...args: readonly string[]) =>
    spawnSync(process.execPath, [mainFile, 'fleet', ...args], { cwd: home, encoding: 'utf8', env });
  /** Runs a command that must be carried out, and returns what it prints. */
  const done = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = run(...args);
    assert.equal(status, 0, stderr);
    return stdout;
  };
  /** Runs a command that must be refused, and returns the reason. */
  const refused = (...args: readonly string[]): string => {
    const { status, stderr } = run(...args);
    assert.equal(status, 1, stderr);
    return stderr;
  };
  return { home, at: join(home, 'fleet'), out: join(home, 'out'), key, env, run, done, refused };
}

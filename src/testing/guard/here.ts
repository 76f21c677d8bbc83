/**
 * Imported first by what starts processes for tests: the file of tests that imports it then runs under a guard, so
 * nothing that it started is left when it or the runner of the tests is ended, by whatever means.
 */
import { guarded, guardedMark } from './argv.ts';

// Node's test runner starts each file as a process of its own, with a standard input that ends with the runner.
if (process.env['NODE_TEST_CONTEXT'] !== undefined && process.env[guardedMark] === undefined) {
  const here = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const [program = '', ...args] = guarded(here);
  process.execve?.(program, [program, ...args], { ...process.env, [guardedMark]: 'yes' });
}

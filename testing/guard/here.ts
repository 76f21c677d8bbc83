/**
 * Imported first by modules that start processes for tests. The file of tests that imports it then runs under a guard.
 * None of its processes is left when it or the test runner ends, by whatever means.
 */
import { guarded, guardedMark } from './argv.ts';

// Node's test runner starts each file as a separate process, with a standard input that ends with the runner.
if (process.env['NODE_TEST_CONTEXT'] !== undefined && process.env[guardedMark] === undefined) {
  const here = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const [program = '', ...args] = guarded(here);
  process.execve?.(program, [program, ...args], { ...process.env, [guardedMark]: 'yes' });
}

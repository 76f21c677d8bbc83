/**
 * Runs steps with the pacing of devices: `node steps.ts STATE-DIRECTORY STEP...`. A step is a command of the shell, or one
 * of these, which prints a line of JSON:
 *
 *     adopt  check  drop  read     a report
 *     restore                      what failed
 */
import { execFileSync } from 'node:child_process';
import { pathsOf } from '../../../src/host/paths.ts';
import { PacedDevices, readPacing } from '../../../src/network/io/qdiscs/paced-devices.ts';

const [state = '', ...steps] = process.argv.slice(2);
const paths = { ...pathsOf('bulkhead-qdiscs-test'), state };
const devices = new PacedDevices(paths);
const actions: Readonly<Record<string, () => Promise<unknown>>> = {
  adopt: () => devices.adopt(true),
  check: () => devices.check(),
  drop: () => devices.adopt(false),
  read: () => readPacing(paths),
  restore: () => devices.restore(),
};
for (const step of steps) {
  const action = actions[step];
  if (action === undefined) execFileSync('sh', ['-c', step], { stdio: ['ignore', 2, 2] });
  else process.stdout.write(`${JSON.stringify(await action())}\n`);
}

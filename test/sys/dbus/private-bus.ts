/** A message bus of our own: the real dbus-daemon, on a socket in a directory that is removed with it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

const program = '/usr/bin/dbus-daemon';
export const skip = existsSync(program) ? false : 'dbus-daemon is not installed';

const configuration = (socket: string) => `<busconfig>
  <type>system</type>
  <listen>unix:path=${socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
`;

export interface PrivateBus extends AsyncDisposable {
  readonly socket: string;
  readonly pid: number;
  readonly kill: () => void;
}

export async function startBus(): Promise<PrivateBus> {
  const directory = temporaryDirectory('dbus');
  const socket = join(directory.path, 'bus');
  const file = join(directory.path, 'bus.conf');
  writeFileSync(file, configuration(socket));
  const options = [`--config-file=${file}`, '--nofork', '--nopidfile', '--print-address'];
  const child = spawn(program, options, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  // It prints its address once it listens; the socket is there before.
  await Promise.race([once(child.stdout, 'data'), ended]);
  return {
    socket,
    pid: child.pid ?? 0,
    kill: () => void child.kill('SIGKILL'),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
      directory.remove();
    },
  };
}

/** Runs the real Ansible against a guest, over the connection that the harness has. */
import { spawn } from 'node:child_process';
import type { Guest } from '../../../../testing/vm/guest.ts';

const roles = new URL('../../../../examples/ansible/roles', import.meta.url).pathname;

/** The inventory's way to the guest. */
export const guestHost = 'ansible_host=guest ansible_python_interpreter=/usr/bin/python3';

export interface Play {
  readonly guest: Guest;
  /** The directory of the playbook, and Ansible's home. */
  readonly directory: string;
  readonly inventory: string;
  readonly book: string;
}

export interface Played {
  readonly status: number | null;
  readonly output: string;
  /** The number of tasks that changed something, of the host that Ansible lists first. */
  readonly changed: number;
}

export async function playBook(play: Play, ...options: readonly string[]): Promise<Played> {
  const { guest, directory, inventory, book } = play;
  const child = spawn('ansible-playbook', ['-i', inventory, ...options, book], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      HOME: directory,
      ANSIBLE_NOCOLOR: '1',
      ANSIBLE_ROLES_PATH: roles,
      ANSIBLE_PIPELINING: '1',
      ANSIBLE_SSH_ARGS: `-F ${guest.directory}/ssh-config`,
      ANSIBLE_SSH_CONTROL_PATH: `${guest.directory}/ssh`,
      ANSIBLE_SSH_TRANSFER_METHOD: 'piped',
      ANSIBLE_TIMEOUT: '600',
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.on('close', resolve);
  const status = await promise;
  process.stderr.write(output);
  return { status, output, changed: Number(/\bchanged=(\d+)/.exec(output)?.[1] ?? Number.NaN) };
}

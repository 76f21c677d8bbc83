/** Commands in the guest, over ssh to its control port. All share one connection. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execute, spawnBound, type CommandOptions, type GuestResult } from './command.ts';
import { patienceMilliseconds } from '../patience.ts';
import { controlKey, knownHosts } from './keys.ts';

const connectTimeoutMs = patienceMilliseconds;

export class Control {
  readonly #config: string;

  private constructor(config: string) {
    this.#config = config;
  }

  /**
   * Connects to the guest of an image through a port of this host. The connection is kept by
   * an ssh process in the background, which ends with the guest.
   */
  static async open(directory: string, image: string, port: number): Promise<Control> {
    const config = join(directory, 'ssh-config');
    await writeFile(config, sshConfig(directory, image, port));
    await connect(config, join(directory, 'ssh-errors'));
    return new Control(config);
  }

  /**
   * Runs a shell command as root, without a session. Rejects when the connection breaks. ssh reports that with the
   * status 255, which a command may have too.
   */
  async run(command: string, options: CommandOptions): Promise<GuestResult> {
    const result = await execute(['ssh', '-F', this.#config, '-T', 'guest', command], options);
    if (result.status === 255 && !(await this.#isConnected())) {
      throw new Error(`the connection broke: ${result.stderr.trim()}`);
    }
    return result;
  }

  async #isConnected(): Promise<boolean> {
    const { status } = await execute(['ssh', '-F', this.#config, '-O', 'check', 'guest']);
    return status === 0;
  }

  /** Opens an interactive shell on this terminal, in the project's directory; resolves to its exit status. */
  shell(): Promise<number> {
    const argv = ['ssh', '-F', this.#config, '-t', 'guest', 'cd /opt/bulkhead; exec bash -l'];
    const child = spawnBound(argv, { stdio: 'inherit' });
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (status) => resolve(status ?? 255));
    });
  }

  /** Ends the shared connection. */
  async close(): Promise<void> {
    await execute(['ssh', '-F', this.#config, '-O', 'exit', 'guest']);
  }
}

/** Connects. The background process keeps its standard error, so that has to be a file and not a pipe. */
async function connect(config: string, errors: string): Promise<void> {
  const script = 'exec ssh -F "$1" -f -N -M guest </dev/null >/dev/null 2>"$2"';
  const argv = ['sh', '-c', script, 'sh', config, errors];
  const { status } = await execute(argv, { timeoutMs: connectTimeoutMs });
  if (status === 0) return;
  const printed = (await readFile(errors, 'utf8')).trim();
  throw new Error(
    `Cannot connect to the guest's control port: ssh exited with ${status}: ${printed}`,
  );
}

function sshConfig(directory: string, image: string, port: number): string {
  return [
    'Host guest',
    'HostName 127.0.0.1',
    `Port ${port}`,
    'User root',
    `IdentityFile "${controlKey(image)}"`,
    'IdentitiesOnly yes',
    'HostKeyAlias guest',
    `UserKnownHostsFile "${knownHosts(image)}"`,
    'GlobalKnownHostsFile /dev/null',
    'StrictHostKeyChecking yes',
    'BatchMode yes',
    'LogLevel ERROR',
    `ConnectTimeout ${patienceMilliseconds / 1000}`,
    `ControlPath "${directory}/ssh"`,
    '',
  ].join('\n');
}

/** The test guest at the command line; see `help`. */
import { parseArgs } from 'node:util';
import { startGuest, type Guest } from './guest.ts';
import { prepareImage } from './image.ts';
import { logToStderr, step } from '../progress.ts';

const help = `node testing/vm/main.ts COMMAND

A throw-away Debian virtual machine with its own kernel, systemd and cgroup v2.

  build        build the image unless it is cached
  shell        start a guest, copy the project to /opt/bulkhead, open a root shell
  run 'CMD'    the same, but run CMD in /opt/bulkhead; ends with its exit status

  --timeout SECONDS   the longest that CMD may take (default 600)
  --help              show this

The image is built on first use, as root on Debian, and kept in $XDG_CACHE_HOME/bulkhead/vm.
Exit status: that of CMD or of the shell; 1 failed, 2 usage, 77 this host cannot run the guest.
`;
const cannotRunHere = 77;

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.help === true) {
    process.stdout.write(help);
    return 0;
  }
  const timeoutMs = Number(values.timeout ?? 600) * 1000;
  const [command, text, ...excess] = positionals;
  const isUsage = timeoutMs > 0 && excess.length === 0;
  if (isUsage && command === 'build' && text === undefined) return withGuest(undefined);
  if (isUsage && command === 'shell' && text === undefined) {
    return withGuest((guest) => guest.shell());
  }
  if (isUsage && command === 'run' && text !== undefined) {
    return withGuest((guest) => runIn(guest, text, timeoutMs));
  }
  process.stderr.write(help);
  return 2;
}

function parse(args: string[]) {
  const options = { help: { type: 'boolean' }, timeout: { type: 'string' } } as const;
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    logToStderr((error as Error).message);
    return { values: {}, positionals: [] };
  }
}

/** Runs an action with a guest that has the project; without an action, only builds the image. */
async function withGuest(action: ((guest: Guest) => Promise<number>) | undefined): Promise<number> {
  const image = await prepareImage(logToStderr);
  if (!image.ok) {
    logToStderr(`Cannot run the test guest here: ${image.error.reason}`);
    return cannotRunHere;
  }
  if (action === undefined) {
    logToStderr(`The image is in ${image.value.directory}`);
    return 0;
  }
  await using guest = await step(logToStderr, 'starting the guest', () => startGuest(image.value));
  await step(logToStderr, 'copying the project', () => guest.copyProject());
  return await action(guest); // not just returned: the guest has to live until it is done
}

async function runIn(guest: Guest, command: string, timeoutMs: number): Promise<number> {
  const onOutput = (chunk: string) => process.stdout.write(chunk);
  const { status } = await guest.run(`cd /opt/bulkhead && ${command}`, { timeoutMs, onOutput });
  return status;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  logToStderr((error as Error).message);
  process.exitCode = 1;
}

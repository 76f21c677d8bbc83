/** The same demo in a virtual machine, for hosts that cannot show it themselves. */
import { prepareImage } from '../vm/image.ts';
import { atExit } from '../vm/cleanup.ts';
import { startGuest } from '../vm/guest.ts';
import { logToStderr, step } from '../progress.ts';
import { showCursor } from './screen/view.ts';

const demoMilliseconds = 120_000;

/**
 * Runs the demo and returns its exit status. The harness itself cleans up when it is interrupted.
 */
export async function demonstrateInGuest(isJson: boolean): Promise<number> {
  logToStderr('Starting a virtual machine with its own kernel; the first time, its image is built');
  const image = await prepareImage(logToStderr);
  if (!image.ok) {
    logToStderr(`Cannot run the virtual machine here: ${image.error.reason}`);
    return 1;
  }
  await using guest = await step(logToStderr, 'starting the guest', () => startGuest(image.value));
  await step(logToStderr, 'copying the project', () => guest.copyProject());
  // The end that hid the cursor may not live to show it again.
  const restore = atExit(() => {
    if (isLive(isJson)) process.stdout.write(showCursor);
  });
  const { status } = await guest.run(guestCommand(isJson), {
    timeoutMs: demoMilliseconds,
    onOutput: (text) => void process.stdout.write(text),
  });
  restore();
  return status;
}

const isLive = (isJson: boolean) =>
  process.stdout.isTTY && process.env['TERM'] !== 'dumb' && !isJson;

/**
 * Returns the command, with facts about the terminal at this end, which the guest's end of the
 * connection cannot know.
 */
function guestCommand(isJson: boolean): string {
  const { stdout } = process;
  const live = isLive(isJson) ? ` --live=${stdout.columns}x${stdout.rows}` : '';
  const color = (process.env['NO_COLOR'] ?? '') === '' ? '' : 'NO_COLOR=1 ';
  const json = isJson ? ' --json' : '';
  return `cd /opt/bulkhead && ${color}node_modules/.bin/node testing/demo/main.ts${json}${live}`;
}

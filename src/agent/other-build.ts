/**
 * The end of an agent whose files were replaced by another version's. It can start none of its processes any more, so it
 * ends, and its supervisor starts the new version. Nobody would start one again that a person runs on a terminal.
 */
import type { Log } from './log.ts';

/** Whether a person has started this process: on a terminal, and not as a service of systemd. */
export const isStartedByHand = (
  environment: NodeJS.ProcessEnv,
  terminal: { readonly isTTY?: boolean } = process.stderr,
): boolean => environment['NOTIFY_SOCKET'] === undefined && terminal.isTTY === true;

/** Resolves if the agent is to end, once `installed` has; one that was started by hand goes on, and the log says what to do. */
export async function endForOtherBuild(
  installed: Promise<void>,
  log: Pick<Log, 'warn'>,
  isByHand: boolean,
): Promise<void> {
  await installed;
  if (!isByHand) {
    log.warn('The files of another version were installed: stopping, so that it can be started');
    return;
  }
  log.warn(
    'The files of another version were installed. This agent goes on measuring, and limits stay in force, but it can apply no changes: stop it with Ctrl-C, and start it again',
  );
  await new Promise<never>(() => undefined);
}

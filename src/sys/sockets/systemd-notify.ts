/**
 * Reports a service's state to systemd: `READY=1`, `WATCHDOG=1`, `STATUS=…`, `STOPPING=1`, `EXTEND_TIMEOUT_USEC=…`.
 *
 * Each report is one datagram to the socket in $NOTIFY_SOCKET; if that is unset, nothing is sent.
 * Source: sd_notify(3).
 */
import { closeSync } from 'node:fs';
import { sendDatagram } from './sockets.ts';

export interface Notifier extends Disposable {
  readonly notify: (...lines: readonly string[]) => void;
  /** The interval at which `WATCHDOG=1` is expected, in milliseconds. */
  readonly watchdogMilliseconds: number | undefined;
}

export function serviceNotifier(environment: NodeJS.ProcessEnv): Notifier {
  const address = environment['NOTIFY_SOCKET'];
  // Children must not report for us.
  delete environment['NOTIFY_SOCKET'];
  const microseconds = Number(environment['WATCHDOG_USEC']);
  const forUs = [undefined, String(process.pid)].includes(environment['WATCHDOG_PID']);
  const datagram = address === undefined ? undefined : sendDatagram(address);
  return {
    notify: (...lines) => datagram?.send(lines.join('\n')),
    watchdogMilliseconds: forUs && microseconds > 0 ? microseconds / 1000 : undefined,
    [Symbol.dispose]: () => {
      if (datagram !== undefined) closeSync(datagram.fd);
    },
  };
}

/** Reports regularly that the event loop is running, if systemd expects it. */
export function keepWatchdogQuiet({ watchdogMilliseconds, notify }: Notifier): Disposable {
  if (watchdogMilliseconds === undefined) return { [Symbol.dispose]: () => {} };
  const timer = setInterval(() => notify('WATCHDOG=1'), watchdogMilliseconds / 3);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

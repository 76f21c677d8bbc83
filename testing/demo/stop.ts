/** Ctrl-C, a closed terminal, a kill: the demo stops, and still removes everything that it made. */
import { constants } from 'node:os';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/** The reason of the abort. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly status: number;
  constructor(cause: NodeJS.Signals | 'closed') {
    super(cause === 'closed' ? 'Nobody reads the output any more' : `Interrupted by ${cause}`);
    this.status = cause === 'closed' ? 1 : 128 + (constants.signals[cause] ?? 0);
  }
}

/** Handles the signals from now on, again and again: removing must not be interrupted either. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = (cause: NodeJS.Signals | 'closed') => controller.abort(new Interrupted(cause));
  for (const signal of signals) process.on(signal, () => stop(signal));
  // EPIPE from `| head`, EIO from a terminal that is gone; writing on does no harm.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => stop('closed'));
  return controller.signal;
}

/**
 * Actions that must run even when the process is interrupted.
 *
 * An action runs once: when its owner disposes of it, or else when the process exits or is
 * interrupted. It is synchronous, because an exiting process waits for nothing.
 */
export type Cleanup = () => void;

const pending = new Set<Cleanup>();
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Registers an action; call the returned function to run it now. */
export function atExit(action: Cleanup): Cleanup {
  if (pending.size === 0) listen();
  const once = () => {
    if (pending.delete(once)) action();
    if (pending.size === 0) stopListening();
  };
  pending.add(once);
  return once;
}

function runAll(): void {
  for (const action of pending) action();
}

function onSignal(signal: NodeJS.Signals): void {
  runAll();
  // All listeners are gone now, so the signal has its ordinary effect and the ordinary status.
  process.kill(process.pid, signal);
}

function listen(): void {
  process.on('exit', runAll);
  for (const signal of signals) process.on(signal, onSignal);
}

function stopListening(): void {
  process.off('exit', runAll);
  for (const signal of signals) process.off(signal, onSignal);
}

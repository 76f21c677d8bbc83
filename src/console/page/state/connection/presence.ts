/**
 * Whether somebody looks at the page. A session ends some time after its last request, so a page that nobody uses must
 * not ask on its own.
 */

const idleMilliseconds = 10 * 60_000;
const inputs = ['pointermove', 'pointerdown', 'keydown', 'scroll', 'touchstart'] as const;

let lastInput = Date.now();

/** Follows the input of the whole page. */
export function followPresence(): void {
  for (const type of inputs)
    addEventListener(type, () => (lastInput = Date.now()), { passive: true, capture: true });
}

const isPresent = () => !document.hidden && Date.now() - lastInput < idleMilliseconds;

/** Calls at once if somebody looks, or else as soon as somebody does. */
export function whenPresent(action: () => void, over: AbortSignal): void {
  if (isPresent()) {
    action();
    return;
  }
  const waiting = new AbortController();
  const tryNow = () => {
    if (document.hidden) return;
    lastInput = Date.now();
    waiting.abort();
    action();
  };
  const signal = AbortSignal.any([over, waiting.signal]);
  document.addEventListener('visibilitychange', tryNow, { signal });
  for (const type of inputs) addEventListener(type, tryNow, { signal, passive: true });
}

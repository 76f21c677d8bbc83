/**
 * How tests wait: for a state, and never for a time.
 *
 * The limits here only prevent hanging. A machine that is a hundred times slower than normal must not reach them, so
 * nothing may be concluded from how long something took.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Script } from 'node:vm';

/** The longest time to wait for anything. */
export const patienceMilliseconds = 10 * 60_000;
/** The time limit for many such steps: a whole file of tests in the virtual machine. */
export const longPatienceMilliseconds = 60 * 60_000;
const pollMilliseconds = 20;

/**
 * Asks again until the answer is neither undefined nor `false`, and returns it. If it never comes, the error shows the
 * result of `details`.
 */
export async function eventually<T>(
  what: string,
  state: () => T | Promise<T>,
  details: () => string | Promise<string> = () => '',
): Promise<Exclude<T, false | undefined>> {
  const end = performance.now() + patienceMilliseconds;
  for (;;) {
    const found = await state();
    if (found !== false && found !== undefined) return found as Exclude<T, false | undefined>;
    if (performance.now() > end) break;
    await sleep(pollMilliseconds);
  }
  const more = await details();
  throw new Error(
    `Never came true within ${patienceMilliseconds / 60_000} minutes: ${what}${more === '' ? '' : `\n${more}`}`,
  );
}

/**
 * Runs a synchronous function that must come to its end, and stops it when it does not. Use it for inputs so large that
 * a function which needs more than linear time would take hours. It does not show that the function is fast.
 */
export function mustEnd<T>(action: () => T): T {
  const here = globalThis as { bulkheadMustEnd?: () => void };
  let result: { readonly value: T } | undefined;
  here.bulkheadMustEnd = () => {
    result = { value: action() };
  };
  try {
    new Script('bulkheadMustEnd()').runInThisContext({ timeout: patienceMilliseconds });
  } finally {
    delete here.bulkheadMustEnd;
  }
  return result!.value;
}

/** The time that checks may take, so that a tenant whose files make one hang delays nobody for long. */

export class CheckBudget {
  readonly #end: number;
  readonly #eachMs: number;

  /** Takes the time for all checks together; each may use a fifth of it. */
  constructor(totalMs: number) {
    this.#end = performance.now() + totalMs;
    this.#eachMs = totalMs / 5;
  }

  /** Returns the time for a check that begins now; 0 if no time is left. */
  get nextMs(): number {
    return Math.max(0, Math.min(this.#eachMs, Math.ceil(this.#end - performance.now())));
  }
}

/** The number of checks that run at once. Checks that take long wait more than they compute. */
const atOnce = 32;

/** Returns the results in the order of the items. */
export async function inParallel<T, R>(
  items: readonly T[],
  act: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  let next = 0;
  const work = async () => {
    for (let at = next++; at < items.length; at = next++) results[at] = await act(items[at]!);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  return results;
}

/** The time that checks may take, so that a tenant whose files make one hang delays nobody for long. */

export class CheckBudget {
  readonly #end: number;
  readonly #eachMs: number;

  /** Of all checks together; each has a fifth of it. */
  constructor(totalMs: number) {
    this.#end = performance.now() + totalMs;
    this.#eachMs = totalMs / 5;
  }

  /** The time that a check which begins now has; 0 if no time is left. */
  get nextMs(): number {
    return Math.max(0, Math.min(this.#eachMs, Math.ceil(this.#end - performance.now())));
  }
}

/** Checks wait more than they compute where they take long. */
const atOnce = 32;

/** Answers in the order of the items. */
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

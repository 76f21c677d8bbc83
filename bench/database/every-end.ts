/** Waiting for several things, of which one may fail. */

type Results<All extends readonly unknown[]> = { -readonly [At in keyof All]: Awaited<All[At]> };

/**
 * Waits until all of them have ended, and then throws what the first has thrown: nothing goes on behind the caller's back,
 * such as a load that ends with an error after Ctrl-C.
 */
export async function everyEnd<All extends readonly unknown[]>(...all: All): Promise<Results<All>> {
  await Promise.allSettled(all);
  return (await Promise.all(all)) as Results<All>;
}

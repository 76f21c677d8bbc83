/** Waits that keep no process running. */

export const sleepMilliseconds = (milliseconds: number): Promise<undefined> =>
  new Promise((resolve) => {
    setTimeout(() => resolve(undefined), milliseconds).unref();
  });

/** Resolves with an answer; with undefined if it does not come in time. No timer is left over. */
export function within<Answer>(
  answer: Promise<Answer>,
  milliseconds: number,
): Promise<Answer | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds).unref();
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

/** Waits for a change or a scan for a limited time; it goes on, whatever is answered. */

/** The time to wait before answering; a client waits for a minute. */
const answerMilliseconds = 40_000;

/** Returns what `done` resolves to, or `late` if that takes long. */
export async function answerSoon<T>(done: Promise<T>, late: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const inTime = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(late), answerMilliseconds);
  });
  try {
    return await Promise.race([done, inTime]);
  } finally {
    clearTimeout(timer);
  }
}

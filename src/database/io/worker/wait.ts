/** Resolves after a time, and keeps no process running for it. */
export const sleepMilliseconds = (milliseconds: number): Promise<undefined> =>
  new Promise((resolve) => {
    setTimeout(() => resolve(undefined), milliseconds).unref();
  });

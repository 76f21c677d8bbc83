/** The commands in CloudLinux's shape, as users start them. */
import '../../testing/guard/here.ts';
import { execFile } from 'node:child_process';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { mainFile } from '../../testing/program.ts';

export interface Answer {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs it in a process of its own, since the test may be what answers it. */
export function runLve(args: readonly string[], input = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [mainFile, ...args],
      {
        encoding: 'utf8',
        env: { ...process.env, NO_COLOR: '1', TZ: 'UTC' },
        timeout: patienceMilliseconds,
        maxBuffer: 2 ** 24,
      },
      (error, out, err) => {
        if (error !== null && typeof error.code !== 'number') reject(error);
        else if (/^\s+at /m.test(err)) reject(new Error(err));
        else resolve({ status: Number(error?.code ?? 0), out, err });
      },
    );
    // A program that refuses its input ends before all of it is written; its answer says so.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

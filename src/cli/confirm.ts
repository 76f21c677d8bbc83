/** A question to whoever sits at the terminal. Only "y" and "yes" mean yes. */
import { createInterface } from 'node:readline/promises';

export const canAsk = (): boolean => process.stdin.isTTY === true && process.stdout.isTTY === true;

export async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^\s*y(es)?\s*$/i.test(await terminal.question(`${question} [y/N] `));
  } catch {
    // Ctrl-C or Ctrl-D.
    return false;
  } finally {
    terminal.close();
  }
}

/**
 * Lines for people, as the agent's log has them, for processes that do without its library.
 *
 * Under a service manager each line begins with its priority, as `<4>`. Source: sd-daemon(3).
 */
import { LogOutput } from './log-output.ts';

export interface PlainLog {
  readonly info: (text: string) => void;
  readonly warn: (text: string) => void;
}

/** The levels that the library of the agent's log has. */
const levels = { info: 30, warn: 40 } as const;
const standardOutput = 1;

/** Makes a log to the standard output. Lines that cannot be written are lost. */
export function plainLog({ JOURNAL_STREAM: journal }: NodeJS.ProcessEnv): PlainLog {
  const out = new LogOutput(standardOutput);
  const write = (level: number) => (text: string) =>
    void out.write(humanLine(level, Date.now(), text, journal !== undefined));
  return { info: write(levels.info), warn: write(levels.warn) };
}

export function humanLine(
  level: number,
  time: number,
  text: string,
  isForJournal: boolean,
): string {
  // The journal adds the time itself.
  const head = isForJournal
    ? `<${priorityOf(level)}>`
    : `${new Date(time).toISOString()} ${wordOf(level)}`;
  return `${head}${text}\n`;
}

function priorityOf(level: number): number {
  if (level >= 50) return 3;
  if (level >= 40) return 4;
  return level >= 30 ? 6 : 7;
}

function wordOf(level: number): string {
  if (level >= 50) return 'error: ';
  return level >= 40 ? 'warning: ' : '';
}

/**
 * The log of the agent: lines for people, or one JSON object per line (`--log json`).
 */
import pino, { type DestinationStream, type Logger } from 'pino';
import { LogOutput } from './log-output.ts';
import { humanLine } from './plain-log.ts';

export type Log = Logger;
export type LogFormat = 'human' | 'json';

const standardOutput = 1;

/** Makes a log to a file descriptor. Lines that cannot be written are lost, and the next one that can is followed by their number. */
export function makeLog(
  format: LogFormat,
  environment: NodeJS.ProcessEnv,
  fd = standardOutput,
): Log {
  const options = {
    base: null,
    level: environment['BULKHEAD_DEBUG'] === undefined ? 'info' : 'debug',
  };
  const out = new LogOutput(fd);
  const write = (line: string) => {
    const lost = out.write(line);
    if (lost !== undefined)
      log.warn(`The log lost ${lost.count} lines before the last one: ${lost.reason}`);
  };
  const json = {
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const isForJournal = environment['JOURNAL_STREAM'] !== undefined;
  const log: Log =
    format === 'json'
      ? pino({ ...options, ...json }, { write })
      : pino(options, humanLines(write, isForJournal));
  return log;
}

interface Entry {
  readonly level: number;
  readonly time: number;
  readonly msg?: string;
}

function humanLines(write: (line: string) => void, journal: boolean): DestinationStream {
  return {
    write(json) {
      const { level, time, msg = '' } = JSON.parse(json) as Entry;
      write(humanLine(level, time, msg, journal));
    },
  };
}

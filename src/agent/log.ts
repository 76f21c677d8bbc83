/**
 * The log of the agent: lines for people, or one JSON object per line (`--log json`).
 *
 * Under a service manager each line begins with its priority, as `<4>`. Source: sd-daemon(3).
 */
import pino, { type DestinationStream, type Logger } from 'pino';

export type Log = Logger;
export type LogFormat = 'human' | 'json';

export function makeLog(format: LogFormat, environment: NodeJS.ProcessEnv): Log {
  const options = {
    base: null,
    level: environment['BULKHEAD_DEBUG'] === undefined ? 'info' : 'debug',
  };
  const out = pino.destination({ fd: 1, sync: true });
  if (format === 'json') {
    return pino(
      {
        ...options,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
      },
      out,
    );
  }
  const journal = environment['JOURNAL_STREAM'] !== undefined;
  return pino(
    options,
    humanLines((line) => out.write(line), journal),
  );
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
      // The journal adds the time itself.
      const head = journal
        ? `<${priorityOf(level)}>`
        : `${new Date(time).toISOString()} ${wordOf(level)}`;
      write(`${head}${msg}\n`);
    },
  };
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

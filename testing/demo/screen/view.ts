/** Shows rows as they change: in place on a terminal, and elsewhere a line for each event. */
import { demoHeaderLine, demoRowLine, type Row } from './row.ts';
import type { DemoScreen } from './screen.ts';

interface View extends Disposable {
  /** Shows the rows; `seconds` since the loads began. */
  readonly show: (rows: readonly Row[], seconds: number, footer: string) => void;
}

export const viewOn = (screen: DemoScreen): View =>
  screen.isLive ? liveView(screen) : logView(screen);

const up = (lines: number) => `\u001b[${lines}A`;
const clearToEnd = '\u001b[K';
const hideCursor = '\u001b[?25l';
export const showCursor = '\u001b[?25h';

function liveView(screen: DemoScreen): View {
  let drawn = 0;
  return {
    show(rows, _seconds, footer) {
      const lines = [
        demoHeaderLine(screen),
        ...rows.map((row) => demoRowLine(row, screen)),
        footer,
      ];
      const begin = drawn === 0 ? hideCursor : up(drawn);
      screen.print(`${begin}${lines.map((line) => `\r${line}${clearToEnd}`).join('\n')}`);
      drawn = lines.length;
    },
    // Without a line end: the cursor only reappears in place.
    [Symbol.dispose]() {
      if (drawn > 0) process.stdout.write(showCursor);
    },
  };
}

/** Prints the first time that each limit is hit, and progress. */
function logView(screen: DemoScreen): View {
  const printed = new Set<string>();
  return {
    show(rows, seconds) {
      for (const row of rows) {
        const event = `${row.uid} ${row.title} ${row.state}`;
        if ((row.state !== 'hit' && row.state !== 'over') || printed.has(event)) continue;
        printed.add(event);
        const at = `${seconds.toFixed(1).padStart(5)} s  uid ${row.uid}  ${row.title.padEnd(10)}`;
        screen.print(`${at}  ${eventOf(row)}`);
      }
    },
    [Symbol.dispose]() {},
  };
}

const eventOf = ({ state, use, limit, hits }: Row) =>
  state === 'over'
    ? `is above its limit of ${limit}: ${use}`
    : `reaches its limit of ${limit}: the kernel ${hits}`;

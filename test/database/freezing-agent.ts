/**
 * A stand-in for the agent that freezes with the agent's own code, so that tests can kill it: it freezes and thaws at
 * random while its watchdog answers.
 *
 *     node freezing-agent.ts RUNTIME STATE UID FILE...        prints "watched PID", "frozen", "lost"
 */
import { writeSync } from 'node:fs';
import { stopFile } from '../../src/host/stops.ts';
import { Freezer } from '../../src/database/io/hold/freezer.ts';
import { recordFile } from '../../src/database/io/hold/record.ts';
import { Watchdog } from '../../src/database/io/hold/watchdog.ts';

const [, , runtime = '', state = '', owner = '', ...files] = process.argv;
const paths = { runtime, state };
const uid = Number(owner);
const freezer = new Freezer(paths);
freezer.begin();
const print = (line: string) => writeSync(1, `${line}\n`);
const watchdog = new Watchdog({
  record: recordFile(paths),
  onLost() {
    freezer.releaseAll();
    print('lost');
  },
});
const all = files.map((path) => ({ path, stop: stopFile(paths, uid) }));
let watched: number | undefined;

function step(): void {
  if (watchdog.isAlive) {
    if (watched !== watchdog.pid) print(`watched ${(watched = watchdog.pid)}`);
    const some = all.filter(() => Math.random() < 0.7);
    if (some.filter((each) => freezer.freeze(uid, each)).length > 0) print('frozen');
    const done = all.filter(() => Math.random() < 0.3);
    if (Math.random() < 0.5) freezer.thaw(done);
    else freezer.release(done);
  }
  setTimeout(step, Math.random() * 4);
}
process.on('SIGTERM', () => {
  freezer.releaseAll();
  watchdog[Symbol.dispose]();
  process.exit(0);
});
step();

/** `bulkhead top` on a real terminal: what is on the screen, and that the terminal comes back. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { startAgentServer, topResponse, type AgentServer } from './agent-server.ts';
import { TestTerminal, waitFor, type TerminalSize } from './test-terminal.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { mainFile } from '../../testing/program.ts';

const instance = 'bulkhead-agent-server';
const reasons = [
  ...(process.getuid?.() === 0 ? [] : ['only root can make a directory in /run']),
  ...(existsSync('/usr/bin/script') ? [] : ["util-linux' script is not installed"]),
];
const options = { skip: reasons.length === 0 ? false : reasons.join('; ') };

let server: AgentServer | undefined;
const directory = suiteDirectory('top-screen');
let open: TestTerminal | undefined;
before(async () => {
  if (reasons.length > 0) return;
  server = await startAgentServer(instance);
});
after(() => server?.close());
afterEach(() => {
  if (open !== undefined && !open.ended) open.hangUp();
});

const small: TerminalSize = { columns: 80, rows: 24 };
const large: TerminalSize = { columns: 120, rows: 40 };
const path = (name: string) => join(directory, name);
const read = (name: string) => readFileSync(path(name), 'utf8');
/** Returns all modes but the size. */
const modes = (name: string) => read(name).replace(/rows \d+; columns \d+;/, '');
const pid = () => Number(read('pid'));

const top = (words = '') => `sh -c 'echo $$ > "$0"; exec "$@"' ${path('pid')} \
  ${process.execPath} ${mainFile} --instance ${instance} top ${words}`;

/** The terminal's modes before and after are compared when it has ended. */
function start(words = '', size = small, environment: NodeJS.ProcessEnv = {}): TestTerminal {
  const script = `stty -a > ${path('before')}; ${top(words)}; echo "status $?"; stty -a > ${path('after')}`;
  open = new TestTerminal(script, size, environment);
  return open;
}

async function restored(terminal: TestTerminal, status: number): Promise<void> {
  await terminal.end();
  const { alternate, cursorShown, wraps, usual } = terminal.screen;
  assert.deepEqual(
    { alternate, cursorShown, wraps },
    { alternate: false, cursorShown: true, wraps: true },
  );
  assert.match(usual, new RegExp(`status ${status}\\b`));
  assert.equal(modes('after'), modes('before'));
}

const listed = (terminal: TestTerminal) =>
  terminal.lines().filter((line) => /^[ >](tenant\d{4}|evil)/.test(line));
const chosen = (terminal: TestTerminal) =>
  terminal
    .lines()
    .find((line) => line.startsWith('>'))
    ?.split(/\s+/)[0];

test('top fills 80x24 and 120x40, and redraws when the size changes', options, async () => {
  const terminal = start();
  await terminal.shows(/cmipfn sort/);
  assert.equal(listed(terminal).length, 18);
  assert.match(
    terminal.lines()[4] ?? '',
    /^ TENANT +CPU +OF LIMIT +MEMORY .*READ\/S .*WRITE\/S .*FAULTS$/,
  );
  assert.ok(
    terminal.lines().every((line) => line.length <= 80),
    terminal.text(),
  );
  assert.doesNotMatch(terminal.text(), /CACHE/);
  terminal.resize(large);
  await terminal.shows(/CACHE.*IOPS.*WAIT/);
  await waitFor(
    () => listed(terminal).length === 34,
    () => terminal.text(),
  );
  assert.ok(
    terminal.lines().every((line) => line.length <= 120),
    terminal.text(),
  );
  assert.match(terminal.lines()[39] ?? '', /quit.*help/);
  terminal.press('q');
  await restored(terminal, 0);
});

test('top moves the cursor, sorts, filters, opens a tenant and goes back', options, async () => {
  const names = topResponse(Date.now(), false).rows.flatMap(({ kind, name }) =>
    kind === 'tenant' ? [name] : [],
  );
  const last = `>${names.toSorted().at(-1)}`;
  const terminal = start('--sort name');
  await terminal.shows(/^>evil/m);
  assert.ok(terminal.text().includes(String.raw`evil\u{1b}`), terminal.text());
  terminal.press('jj');
  await waitFor(
    () => chosen(terminal) === '>tenant0001',
    () => terminal.text(),
  );
  terminal.press('\u001b[A');
  await waitFor(
    () => chosen(terminal) === '>tenant0000',
    () => terminal.text(),
  );
  terminal.press('\u001b[6~');
  await waitFor(
    () => chosen(terminal) === '>tenant0018',
    () => terminal.text(),
  );
  terminal.press('\u001b[F');
  await waitFor(
    () => chosen(terminal) === last,
    () => terminal.text(),
  );
  terminal.press('n');
  await terminal.shows(/by name, reversed/);
  await waitFor(
    () => chosen(terminal) === last,
    () => terminal.text(),
  );
  terminal.press('/NT0003');
  await terminal.shows(/Filter: NT0003/);
  await waitFor(
    () => listed(terminal).length === 1,
    () => terminal.text(),
  );
  terminal.press('\r\r');
  await terminal.shows(/^tenant0003: uid 10004, package starter/);
  await terminal.shows(/php-fpm: pool www/);
  await terminal.shows(/--title 日本/);
  await terminal.shows(/Latest incidents of the last 24 hours\n20.*by cpu 100%/);
  assert.ok(terminal.text().includes(String.raw`\u{1b}]0;owned\u{7}`), terminal.text());
  terminal.press('\u001b');
  await terminal.shows(/filter "NT0003"/);
  terminal.press('\u001b');
  await waitFor(
    () => listed(terminal).length === 18,
    () => terminal.text(),
  );
  terminal.press('?');
  await terminal.shows(/Press any key to go back/);
  terminal.press(' r');
  await terminal.shows(/1 resellers/);
  terminal.press('\r');
  await terminal.shows(/tenants of acme/);
  terminal.press('\u0003');
  await restored(terminal, 0);
});

test('top shows idle tenants after "a", and updates at each --delay', options, async () => {
  const terminal = start('--delay 0.2');
  await terminal.shows(/\d+ tenants, \d+ idle/);
  const clock = terminal.lines()[0];
  terminal.press('a');
  await terminal.shows(/^1000 tenants by cpu, including idle/m);
  await waitFor(
    () => terminal.lines()[0] !== clock,
    () => terminal.text(),
  );
  terminal.press('q');
  await restored(terminal, 0);
});

test('top keeps the number of lines when it redraws', options, async () => {
  const terminal = start('', small, { NO_COLOR: '1' });
  await terminal.shows(/cmipfn sort/);
  const before = terminal.lines();
  const { frames } = terminal.screen;
  const drawn = frames.length;
  terminal.press('j');
  await waitFor(
    () => frames.length > drawn,
    () => terminal.text(),
  );
  assert.equal(terminal.lines().length, before.length);
  terminal.press('q');
  await restored(terminal, 0);
});

for (const [signal, status] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
  ['SIGHUP', 129],
] as const) {
  test(`top restores the terminal and dies when it gets ${signal}`, options, async () => {
    const terminal = start();
    await terminal.shows(/cmipfn sort/);
    process.kill(pid(), signal);
    await restored(terminal, status);
  });
}

test('top restores the terminal at Ctrl-Z, and redraws at fg', options, async () => {
  const script = `set -m; stty -a > ${path('before')}; ${top()}; stty -a > ${path('stopped')}; \
    echo "stopped $?"; read -r word; fg > /dev/null; echo "status $?"; stty -a > ${path('after')}`;
  const terminal = (open = new TestTerminal(script, small));
  await terminal.shows(/cmipfn sort/);
  terminal.press('\u001a');
  await waitFor(
    () => /stopped 0/.test(terminal.screen.usual),
    () => terminal.screen.usual,
  );
  assert.deepEqual([terminal.screen.alternate, terminal.screen.cursorShown], [false, true]);
  assert.equal(modes('stopped'), modes('before'));
  terminal.press('go\n');
  await waitFor(
    () => terminal.screen.alternate,
    () => terminal.screen.usual,
  );
  terminal.press('?');
  await terminal.shows(/Press any key to go back/);
  terminal.press('\u0003');
  await restored(terminal, 0);
});

test('top redraws at Ctrl-Z when no shell could continue it', options, async () => {
  const terminal = start();
  await terminal.shows(/cmipfn sort/);
  terminal.press('\u001a');
  await waitFor(
    () => !terminal.screen.alternate,
    () => terminal.text(),
  );
  await waitFor(
    () => terminal.screen.alternate,
    () => terminal.text(),
  );
  terminal.press('q');
  await restored(terminal, 0);
});

test('top ends when its terminal closes', options, async () => {
  const terminal = start();
  await terminal.shows(/cmipfn sort/);
  const id = pid();
  terminal.hangUp();
  await waitFor(
    () => !runs(id),
    () => `${id} still runs`,
  );
});

/** Whether a process runs. One that ended and that nobody has waited for yet does not. */
function runs(id: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${id}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

test('top shows that the agent does not answer until it does', options, async () => {
  const terminal = start('--delay 0.2');
  await terminal.shows(/cmipfn sort/);
  await server?.close();
  await terminal.shows(/Last update at \S+, retrying: no agent is running/);
  assert.equal(listed(terminal).length, 18);
  server = await startAgentServer(instance);
  await terminal.shows(/\d+ tenants by cpu/);
  await server.close();
  await terminal.shows(/retrying/);
  terminal.press('q');
  await restored(terminal, 0);
  server = await startAgentServer(instance);
});

test('top restores the terminal before it reports a defect', options, async () => {
  const terminal = start('--delay 0.2');
  await terminal.shows(/cmipfn sort/);
  server?.instead.set('/v1/top', { ...topResponse(Date.now(), false), rows: 'none' });
  await restored(terminal, 1);
  server?.instead.clear();
  assert.match(terminal.screen.usual, /This is a defect of Bulkhead/);
});

test('top without an agent reports it, and does not change the terminal', options, async () => {
  await server?.close();
  const terminal = start();
  await restored(terminal, 1);
  assert.match(terminal.screen.usual, /\/run\/bulkhead-agent-server.*no agent is running/);
  server = await startAgentServer(instance);
});

test('top prints one table when the terminal is dumb', options, async () => {
  const terminal = start('-n 3', small, { TERM: 'dumb' });
  await restored(terminal, 0);
  assert.equal(terminal.screen.usual.match(/ tenant\d{4} /g)?.length, 3);
});

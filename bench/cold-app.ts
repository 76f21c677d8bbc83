/**
 * The first request to an idle application, answered by a program that a socket of systemd starts. It is compared with a
 * bare service of systemd: the same program, user and socket, and nothing of Bulkhead. No web server is involved.
 */
import { longPatienceMilliseconds } from '../testing/patience.ts';
import type { Guest } from '../testing/vm/guest.ts';
import type { Bench } from './bench.ts';
import { startBuiltGuest } from './built-guest.ts';
import { copyPrograms, succeed, until } from './fpm-guest.ts';
import { compare, inTurn, type Row, type Section } from './samples.ts';

/** Asked one after the other, since systemd counts the starts of each in a minute. */
const tenants = Array.from({ length: 8 }, (_, index) => ({
  name: `app${index}`,
  uid: 20_001 + index,
}));
const plain = { name: 'plain', uid: 30_000 };
/** The ratio to the bare service. */
const goal = 1.05;

const server = `require('node:http').createServer((q, r) => r.end('hello')).listen(
  process.env.LISTEN_FDS ? { fd: 3 } : process.env.PORT);`;
const programs = {
  node: '/usr/local/bin/appnode /srv/app/server.js',
  C: '/usr/local/bin/app-answer',
};
type Program = keyof typeof programs;
type Listen = 'descriptor' | 'port';

/** A service, and the socket that starts it. */
interface Target {
  readonly service: string;
  readonly socket: string;
}

const bare = (program: Program): Target => ({
  service: `bare-${program}.service`,
  socket: `/run/bare-${program}.sock`,
});
const app = (uid: number, program: Program, listen: Listen): Target => {
  const name = `${program.toLowerCase()}-${listen}`;
  return {
    service: `bulkhead-app@${uid}:${name}.service`,
    socket: `/run/bulkhead-app/${uid}/${name}.sock`,
  };
};

export async function benchColdApp({ directory, quick, signal }: Bench): Promise<Section> {
  const section = {
    name: 'cold-app',
    title: 'First request to an idle application (virtual machine, emulated processor)',
    beside: 'a bare systemd service',
  };
  const started = await startBuiltGuest();
  if (!started.ok) return { ...section, rows: [], notes: [`skipped: ${started.error.reason}`] };
  await using guest = started.value;
  await copyPrograms(guest, directory, ['app-ask', 'app-answer']);
  await prepare(guest);
  const rounds = quick ? 3 : 40;
  const rows: Row[] = [];
  for (const driver of ['systemd', 'cgroup2']) {
    await applyWith(guest, driver);
    for (const program of ['C', 'node'] as const)
      rows.push(...(await rowsOf(guest, driver, program, rounds, signal)));
  }
  const notes = [`${rounds} times each; before each cold one the service is inactive`];
  return { ...section, rows, notes };
}

async function rowsOf(
  guest: Guest,
  driver: string,
  program: Program,
  rounds: number,
  signal: Bench['signal'],
): Promise<readonly Row[]> {
  let turn = 0;
  const next = () => tenants[turn++ % tenants.length]?.uid ?? 0;
  let warm = bare(program);
  const cold = (listen: Listen) => async () => {
    warm = app(next(), program, listen);
    return askIdle(guest, warm);
  };
  const [floor = [], descriptor = [], port = [], again = []] = await inTurn(
    rounds,
    [() => askIdle(guest, bare(program)), cold('descriptor'), cold('port'), () => ask(guest, warm)],
    signal,
  );
  return [
    compare(`${program}, driver ${driver}, with a descriptor`, descriptor, floor, goal),
    compare('  with a path in PORT', port, floor, goal),
    compare('  warm, the request after it', again, floor),
  ];
}

async function askIdle(guest: Guest, target: Target): Promise<number> {
  await succeed(
    guest,
    `systemctl stop '${target.service}' && systemctl reset-failed 2>/dev/null; true`,
  );
  await until(guest, `[ "$(systemctl show -P ActiveState '${target.service}')" = inactive ]`);
  return ask(guest, target);
}

async function ask(guest: Guest, { socket }: Target): Promise<number> {
  return Number(await succeed(guest, `app-ask ${socket}`)) / 1000;
}

async function prepare(guest: Guest): Promise<void> {
  const accounts = [...tenants, plain]
    .map(({ name, uid }) => `useradd -m -u ${uid} ${name}`)
    .join(' && ');
  await guest.succeed(accounts, { timeoutMs: longPatienceMilliseconds });
  await succeed(guest, `cp -L "$(command -v node)" /usr/local/bin/appnode`);
  await write(guest, '/srv/app/server.js', server);
  for (const program of ['C', 'node'] as const) {
    const { service, socket } = bare(program);
    await write(
      guest,
      `/etc/systemd/system/${service.replace('.service', '.socket')}`,
      `[Socket]\nListenStream=${socket}\nTriggerLimitIntervalSec=0\n`,
    );
    await write(
      guest,
      `/etc/systemd/system/${service}`,
      `[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=exec\nUser=${plain.name}\nExecStart=${programs[program]}\n`,
    );
  }
  await succeed(guest, 'systemctl daemon-reload && systemctl start bare-C.socket bare-node.socket');
}

async function applyWith(guest: Guest, driver: string): Promise<void> {
  const apps = (['C', 'node'] as const).flatMap((program) =>
    (['descriptor', 'port'] as const).map(
      (listen) =>
        `<app name="${program.toLowerCase()}-${listen}" command="${programs[program]}" listen="${listen}" starts="100"/>`,
    ),
  );
  const policy = `<bulkhead version="1"><host driver="${driver}"/><defaults><memory limit="400MiB"/><processes limit="80"/></defaults>
${tenants.map(({ name }) => `<tenant user="${name}">${apps.join('')}</tenant>`).join('\n')}</bulkhead>\n`;
  await write(guest, '/etc/bulkhead/policy.xml', policy);
  await succeed(guest, 'bulkhead apply');
}

const write = (guest: Guest, path: string, input: string) =>
  guest.succeed(`mkdir -p "$(dirname ${path})" && cat > ${path}`, { input });

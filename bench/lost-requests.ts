/**
 * How many requests are lost while tenants' services are made, stopped, reloaded and upgraded, with
 * requests coming in all the time. A pool that stays with the distribution's service is measured at
 * the same time.
 */
import type { Guest } from '../testing/vm/guest.ts';
import type { Bench } from './bench.ts';
import {
  distribution,
  fpmProgram,
  hostOf,
  lostOf,
  parseAsked,
  php,
  plain,
  prepareFpmGuest,
  serviceOf,
  startFpmGuest,
  succeed,
  tell,
  tenantsOf,
  until,
  type Account,
  type Asked,
} from './fpm-guest.ts';
import { spreadOf, type Row, type Section } from './samples.ts';

const tenants = tenantsOf(4);
const asked = [...tenants, plain];
/** How long a request is in progress, in milliseconds. */
const requestMilliseconds = 20;

interface Event {
  readonly label: string;
  readonly times: number;
  /** Makes the change once and waits for it. */
  readonly happen: (guest: Guest, turn: number) => Promise<unknown>;
}

export async function benchLostRequests({ directory, quick, signal }: Bench): Promise<Section> {
  const section = {
    name: 'lost-requests',
    title: `Requests of ${requestMilliseconds} ms while services change (virtual machine, emulated processor)`,
    beside: '',
  };
  const started = await startFpmGuest();
  if (!started.ok) return { ...section, rows: [], notes: [`skipped: ${started.error.reason}`] };
  await using guest = started.value;
  await tell('making pools', () => prepareFpmGuest(guest, directory, asked, 'dynamic'));
  await succeed(guest, `systemctl start nginx ${distribution}`);
  const rows: Row[] = [];
  for (const event of eventsOf(quick)) {
    signal.throwIfAborted();
    rows.push(await tell(labelOf(event), () => measure(guest, event)));
  }
  return {
    ...section,
    rows,
    notes: [
      `${tenants.length} tenants with a client each, a request a connection; "plain" is a pool that stays with ${distribution}`,
    ],
  };
}

function eventsOf(quick: boolean): readonly Event[] {
  const few = quick ? 1 : 5;
  return [
    { label: 'nothing happens', times: quick ? 20 : 200, happen: serve },
    { label: 'web fpm enable', times: 1, happen: enable },
    { label: 'web entries enable', times: 1, happen: limitEntries },
    { label: 'idle masters stopped', times: quick ? 4 : 40, happen: stop },
    { label: 'another php.ini, reload', times: few, happen: reload },
    { label: 'another PHP, restart', times: few, happen: upgrade },
  ];
}

const labelOf = ({ label, times }: Event) => (times === 1 ? label : `${label}, ${times} times`);

async function measure(guest: Guest, event: Event): Promise<Row> {
  const stopFile = '/run/asked-enough';
  const name = ({ uid }: Account) => `/run/asked.${uid}`;
  const clients = asked.map(
    (each) =>
      `web-ask 1 80 ${hostOf(each)} '/?ms=${requestMilliseconds}' --until ${stopFile} > ${name(each)} 2>&1 &`,
  );
  await succeed(guest, `rm -f ${stopFile}; { ${clients.join(' ')} } </dev/null >/dev/null 2>&1`);
  try {
    for (let turn = 0; turn < event.times; turn++) await event.happen(guest, turn);
  } finally {
    await succeed(guest, `touch ${stopFile}`);
    await until(guest, '! pgrep -x web-ask');
  }
  const results = new Map<Account, Asked>();
  for (const each of asked)
    results.set(each, parseAsked(await succeed(guest, `cat ${name(each)}`)));
  const of = (accounts: readonly Account[]) => accounts.flatMap((each) => results.get(each) ?? []);
  const ours = of(tenants).flatMap(({ served }) => served);
  return {
    label: labelOf(event),
    ours: spreadOf(ours),
    note: `${lostOf(of(tenants))}, worst ${Math.max(...ours).toFixed(0)} ms; plain: ${lostOf(of([plain]))}`,
  };
}

const serve = (guest: Guest) => succeed(guest, `web-ask 1 80 ${hostOf(plain)} / 1 >/dev/null`);

const enable = (guest: Guest) => succeed(guest, 'bulkhead web fpm enable --all');

const limitEntries = (guest: Guest) => succeed(guest, 'bulkhead web entries enable');

/** Stops the services one after the other; a service's client starts it again. */
async function stop(guest: Guest, turn: number): Promise<void> {
  const service = serviceOf(tenants[turn % tenants.length] as Account);
  const entered = `systemctl show -P ActiveEnterTimestampMonotonic ${service}`;
  await until(guest, `systemctl is-active ${service}`);
  const before = (await succeed(guest, entered)).trim();
  await succeed(guest, `systemctl stop ${service} 2>/dev/null`);
  await until(guest, `systemctl is-active ${service} && [ "$(${entered})" != ${before} ]`);
}

const iniFile = `/etc/php/${php}/fpm/conf.d/99-bench.ini`;

/** Reloads. Waits until everybody is served by processes that have read the new file. */
async function reload(guest: Guest, turn: number): Promise<void> {
  await guest.succeed(`cat > ${iniFile}`, { input: `user_agent = turn-${turn}\n` });
  await succeed(guest, `systemctl reload ${distribution}`);
  for (const each of asked) await until(guest, `${answerOf(each)} | grep -q 'ok turn-${turn}$'`);
}

const answerOf = (account: Account) =>
  `bash -c 'exec 3<>/dev/tcp/127.0.0.1/80; printf "GET / HTTP/1.0\r\nHost: ${hostOf(account)}\r\n\r\n" >&3; cat <&3'`;

/**
 * Upgrades as dpkg does: another file at the same path, and the package's own script restarts the
 * service.
 */
async function upgrade(guest: Guest): Promise<void> {
  await succeed(
    guest,
    `cp -p ${fpmProgram} ${fpmProgram}.new && mv ${fpmProgram}.new ${fpmProgram} && DEBIAN_FRONTEND=noninteractive dpkg-reconfigure ${distribution}`,
  );
  for (const each of tenants)
    await until(
      guest,
      `[ /proc/$(systemctl show -P MainPID ${serviceOf(each)})/exe -ef ${fpmProgram} ]`,
    );
}

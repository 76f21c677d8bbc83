/**
 * The first request to a tenant whose PHP-FPM does not run, answered by a service that systemd
 * starts. It is compared with starting php-fpm by hand with the same configuration, as the same
 * user, and asking it. No web server is involved.
 */
import type { Guest } from '../testing/vm/guest.ts';
import type { Bench } from './bench.ts';
import {
  addAccounts,
  addSites,
  applyPolicy,
  configOf,
  copyPrograms,
  fpmProgram,
  plain,
  script,
  serviceOf,
  socketOf,
  startFpmGuest,
  succeed,
  tenantsOf,
  until,
  type Account,
} from './fpm-guest.ts';
import { compare, inTurn, type Row, type Section } from './samples.ts';

/**
 * Tenants, asked one after the other: a socket starts its service five times in ten seconds at
 * most.
 */
const tenants = tenantsOf(8);
/** The ratio to a service with nothing of Bulkhead. */
const goal = 1.05;
const drivers = ['cgroup2', 'systemd'] as const;

export async function benchColdRequest({ directory, quick, signal }: Bench): Promise<Section> {
  const section = {
    name: 'cold-request',
    title: 'First request to an idle tenant (virtual machine, emulated processor)',
    beside: 'php-fpm by hand',
  };
  const started = await startFpmGuest();
  if (!started.ok) return { ...section, rows: [], notes: [`skipped: ${started.error.reason}`] };
  await using guest = started.value;
  await copyPrograms(guest, directory, ['fpm-ask']);
  await addAccounts(guest, [...tenants, plain]);
  await addSites(guest, directory, tenants, 'dynamic');
  const rounds = quick ? 3 : 40;
  const rows: Row[] = [];
  for (const driver of drivers) {
    await applyPolicy(guest, driver);
    await succeed(guest, 'bulkhead web fpm enable --all');
    await addBare(guest);
    let turn = 0;
    const next = () => tenants[turn++ % tenants.length] as Account;
    let current = next();
    const [byHand = [], bareUnit = [], cold = [], warm = []] = await inTurn(
      rounds,
      [
        async () => {
          current = next();
          await idle(guest, target(current));
          return startByHand(guest, current);
        },
        async () => {
          await idle(guest, bare);
          return ask(guest, bare);
        },
        async () => {
          await idle(guest, target(current));
          return ask(guest, target(current));
        },
        () => ask(guest, target(current)),
      ],
      signal,
    );
    rows.push(
      withWorst(compare(`cold, driver ${driver}`, cold, byHand), cold, byHand),
      withWorst(compare('  warm, the request after it', warm, byHand), warm, byHand),
      withWorst(
        compare('  cold, a service with nothing of Bulkhead', bareUnit, byHand),
        bareUnit,
        byHand,
      ),
      compare('  cold, beside that service', cold, bareUnit, goal),
    );
  }
  return {
    ...section,
    rows,
    notes: [
      `${rounds} times each; before each cold one the service is inactive and the tenant has no process`,
      'with files in the page cache; php-fpm starts five workers',
    ],
  };
}

const withWorst = (row: Row, ours: readonly number[], floor: readonly number[]): Row => ({
  ...row,
  note: `worst ${Math.max(...ours).toFixed(1)} ms, by hand ${Math.max(...floor).toFixed(1)} ms`,
});

interface Target {
  readonly uid: number;
  readonly service: string;
  readonly socket: string;
}

const target = (tenant: Account): Target => ({
  uid: tenant.uid,
  service: serviceOf(tenant),
  socket: socketOf(tenant),
});

/** The same with systemd only: the service and socket of its manual, and php-fpm in it. */
const bare: Target = { uid: plain.uid, service: 'bare-fpm.service', socket: '/run/bare-fpm.sock' };
const bareConfig = '/etc/bare-fpm.conf';

/** Adds that service, with a tenant's configuration except for the socket. */
async function addBare(guest: Guest): Promise<void> {
  const [like] = tenants as readonly [Account, ...Account[]];
  await succeed(
    guest,
    `sed 's#${socketOf(like)}#${bare.socket}#' ${configOf(like)} > ${bareConfig} && chgrp ${plain.name} ${bareConfig} && chmod 640 ${bareConfig}`,
  );
  const write = (name: string, input: string) =>
    guest.succeed(`cat > /etc/systemd/system/${name}`, { input });
  await write(
    'bare-fpm.socket',
    `[Socket]\nListenStream=${bare.socket}\nTriggerLimitIntervalSec=0\n`,
  );
  await write(
    bare.service,
    `[Service]
Type=notify
User=${plain.name}
Environment=FPM_SOCKETS=${bare.socket}=3
ExecStart=${fpmProgram} --nodaemonize --fpm-config ${bareConfig}
KillSignal=SIGQUIT
KillMode=mixed
`,
  );
  await succeed(
    guest,
    `systemctl daemon-reload && systemctl stop ${bare.service} && systemctl restart bare-fpm.socket`,
  );
}

/** Stops a service as the agent stops it, and waits until it is gone. */
async function idle(guest: Guest, { uid, service }: Target): Promise<void> {
  await succeed(guest, `systemctl stop ${service} 2>/dev/null`);
  await until(
    guest,
    `[ "$(systemctl show -P ActiveState ${service})" = inactive ] && ! pgrep -U ${uid}`,
  );
}

async function ask(guest: Guest, { socket }: Target): Promise<number> {
  return Number(await succeed(guest, `fpm-ask ${socket} ${script} 1`)) / 1000;
}

/** Starts php-fpm by hand with the service's own configuration, on another socket. */
async function startByHand(guest: Guest, tenant: Account): Promise<number> {
  const fpm = `${fpmProgram} --nodaemonize --fpm-config ${configOf(tenant)}`;
  const words = `/run/by-hand.sock ${script} --start ${tenant.uid} ${socketOf(tenant)} ${fpm}`;
  return Number(await succeed(guest, `fpm-ask ${words} 2>/dev/null`)) / 1000;
}

/**
 * A virtual machine with Debian's systemd, nginx and PHP-FPM, Bulkhead as installed, and tenants
 * with a pool each. Its processor is emulated, so only ratios and counts mean something there.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Cause } from '../packages/base/problem.ts';
import type { Result } from '../packages/base/result.ts';
import { longPatienceMilliseconds } from '../testing/patience.ts';
import { logToStderr, step } from '../testing/progress.ts';
import { shellQuote } from '../testing/vm/command.ts';
import type { Guest } from '../testing/vm/guest.ts';
import { withPatientFpm } from '../testing/vm/installed.ts';
import { startBuiltGuest } from './built-guest.ts';

export const php = '8.4';
export const fpmProgram = `/usr/sbin/php-fpm${php}`;
export const distribution = `php${php}-fpm`;
export const script = '/srv/www/index.php';
const firstUid = 20_001;
const lastUid = 29_999;

export interface Account {
  readonly name: string;
  readonly uid: number;
}

/** Returns tenants of the policy below. */
export const tenantsOf = (count: number): readonly Account[] =>
  Array.from({ length: count }, (_, index) => ({
    name: `t${firstUid + index}`,
    uid: firstUid + index,
  }));

export const isTenant = (uid: number): boolean => uid >= firstUid && uid <= lastUid;

/** An account that is not a tenant: its pool stays with the distribution's service. */
export const plain: Account = { name: 'plain', uid: lastUid + 1 };

export const socketOf = ({ name }: Account): string => `/run/php/php${php}-fpm-${name}.sock`;
export const serviceOf = ({ uid }: Account): string => `bulkhead-fpm84@${uid}.service`;
export const configOf = ({ uid }: Account): string => `/etc/bulkhead/fpm/${php}/${uid}.conf`;
export const hostOf = ({ name }: Account): string => `${name}.example`;

/** Runs an action and prints on stderr how long it takes. */
export const tell = <T>(what: string, action: () => Promise<T>): Promise<T> =>
  step(logToStderr, what, action);

/** Starts the virtual machine. The error is why it cannot start here. */
export const startFpmGuest = (): Promise<Result<Guest, Cause>> =>
  startBuiltGuest((guest) => withPatientFpm(guest));

export const succeed = (guest: Guest, command: string): Promise<string> =>
  guest.succeed(command, { timeoutMs: longPatienceMilliseconds });

/** Waits until a shell command succeeds. */
export const until = (guest: Guest, what: string): Promise<string> =>
  succeed(
    guest,
    `for i in $(seq 20000); do { ${what}; } >/dev/null 2>&1 && exit 0; sleep 0.05; done; echo never: ${shellQuote(what)} >&2; journalctl -n 40 --no-pager >&2; exit 1`,
  );

export async function copyPrograms(
  guest: Guest,
  directory: string,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    const source = new URL(`${name}.c`, import.meta.url).pathname;
    execFileSync('gcc', ['-O2', '-static', '-o', join(directory, name), source]);
    await guest.copyIn(join(directory, name), `/usr/local/bin/${name}`);
  }
}

/** The lines of a pool that set its number of workers. */
export const managers = {
  dynamic:
    'pm = dynamic\npm.max_children = 10\npm.start_servers = 5\npm.min_spare_servers = 5\npm.max_spare_servers = 10\n',
  static: 'pm = static\npm.max_children = 4\n',
  ondemand: 'pm = ondemand\npm.max_children = 10\n',
} as const;

export async function addAccounts(guest: Guest, accounts: readonly Account[]): Promise<void> {
  const lines = (line: (account: Account) => string) => accounts.map(line).join('');
  const files = {
    passwd: lines(({ name, uid }) => `${name}:x:${uid}:${uid}::/srv/www:/bin/sh\n`),
    group: lines(({ name, uid }) => `${name}:x:${uid}:\n`),
    shadow: lines(({ name }) => `${name}:!:20000::::::\n`),
  };
  for (const [file, input] of Object.entries(files))
    await guest.succeed(`cat >> /etc/${file}`, { input });
}

/** Adds pools, sites and the page of the accounts; nothing reads them yet. */
export async function addSites(
  guest: Guest,
  directory: string,
  accounts: readonly Account[],
  manager: keyof typeof managers,
): Promise<void> {
  // The directory is new, since other benchmarks of the same run have theirs.
  const root = join(mkdtempSync(join(directory, 'sites-')), 'root');
  const write = (path: string, text: string) => {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  write(script, page);
  for (const account of accounts) {
    write(`/etc/php/${php}/fpm/pool.d/${account.name}.conf`, poolText(account, manager));
    write(`/etc/nginx/sites-enabled/${account.name}.conf`, vhostText(account));
  }
  await guest.copyIn(root, '/');
  await succeed(guest, 'rm -f /etc/nginx/sites-enabled/default');
}

/** The page; with `ms` a request is in progress for so long. */
const page = `<?php
if (isset($_GET['ms'])) usleep(1000 * (int) $_GET['ms']);
echo 'ok ', ini_get('user_agent');
`;

const poolText = (account: Account, manager: keyof typeof managers) => `[${account.name}]
user = ${account.name}
group = ${account.name}
listen = ${socketOf(account)}
listen.owner = ${account.name}
listen.group = www-data
${managers[manager]}`;

const vhostText = (account: Account) => `server {
  listen 127.0.0.1:80;
  server_name ${hostOf(account)};
  location / {
    include fastcgi_params;
    fastcgi_param SCRIPT_FILENAME ${script};
    fastcgi_pass unix:${socketOf(account)};
    fastcgi_read_timeout 1h;
  }
}
`;

/** Applies a policy with both processors of the guest for each tenant: nobody gets near a limit. */
export async function applyPolicy(guest: Guest, driver: 'systemd' | 'cgroup2'): Promise<void> {
  await guest.succeed('mkdir -p /etc/bulkhead && cat > /etc/bulkhead/policy.xml', {
    input: `<bulkhead version="1"><host driver="${driver}"/><agent interval="2s"/><tenants uids="${firstUid}-${lastUid}"/>
<defaults><cpu limit="200%"/><memory limit="400MiB"/><processes limit="80"/><entries limit="20"/></defaults></bulkhead>\n`,
  });
  await succeed(guest, 'bulkhead apply --quiet');
}

/**
 * Prepares programs, pools and sites of the accounts, limited by the policy through systemd; no
 * server runs yet.
 */
export async function prepareFpmGuest(
  guest: Guest,
  directory: string,
  accounts: readonly Account[],
  manager: keyof typeof managers,
): Promise<void> {
  await copyPrograms(guest, directory, ['web-ask']);
  await addAccounts(guest, accounts);
  await addSites(guest, directory, accounts, manager);
  await applyPolicy(guest, 'systemd');
}

/** The output of web-ask. */
export interface Asked {
  /** Time for everything together. */
  readonly milliseconds: number;
  /** Milliseconds of each request that was served. */
  readonly served: readonly number[];
  readonly lost: number;
  /** The status of each lost request, such as `502` or `none`. */
  readonly statuses: readonly string[];
}

export function parseAsked(text: string): Asked {
  const [all = '', ...lines] = text.trim().split('\n');
  const requests = lines.map((line) => line.split(' ') as [string, string]);
  const statuses = requests.flatMap(([, status]) => (status === '200' ? [] : [status]));
  return {
    milliseconds: Number(all) / 1000,
    served: requests.flatMap(([us, status]) => (status === '200' ? [Number(us) / 1000] : [])),
    lost: statuses.length,
    statuses,
  };
}

/** Returns in words how many requests of all clients were lost. */
export function lostOf(all: readonly Asked[]): string {
  const lost = all.reduce((sum, each) => sum + each.lost, 0);
  const served = all.reduce((sum, each) => sum + each.served.length, 0);
  const statuses = [...new Set(all.flatMap((each) => each.statuses))].toSorted();
  const how = lost === 0 ? '' : ` (${statuses.join(', ')})`;
  return `${lost} lost of ${lost + served}${how}`;
}

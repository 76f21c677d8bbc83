/**
 * The first request to an application that does not run, answered by a service that systemd starts. It is compared with a
 * service that has nothing of Bulkhead: the same program, with the same account, which takes the socket itself.
 */
import { ensurePrerequisites } from '../testing/prerequisites.ts';
import { logToStderr } from '../testing/progress.ts';
import { startGuest, type Guest } from '../testing/vm/guest.ts';
import { prepareImage } from '../testing/vm/image.ts';
import { installBuilt } from '../testing/vm/installed.ts';
import type { Bench } from './bench.ts';
import { succeed, until } from './fpm-guest.ts';
import { compare, inTurn, type Section } from './samples.ts';

const uid = 20_001;
/** More starts than a run has: none of them is one too many. */
const policy = `<bulkhead version="1"><host driver="cgroup2"/><tenants uids="20000-20009"/>
<tenant user="t1"><app name="a" command="perl /srv/app.pl" starts="100"/></tenant></bulkhead>`;

/** Starts in some milliseconds, so that the start of the program itself hides little. */
const program = `use Socket; $| = 1; my $s;
if ($ENV{PORT}) { socket($s, AF_UNIX, SOCK_STREAM, 0); bind($s, sockaddr_un($ENV{PORT})); listen($s, 99); }
else { open($s, '+<&=', 3); }
while (accept(my $c, $s)) { sysread($c, my $b, 4096); syswrite($c, "HTTP/1.0 200 OK\\r\\n\\r\\nok"); close($c); }
`;
/** Prints how many microseconds the answer took. */
const client = `use Socket; use Time::HiRes 'time'; my $t = time;
socket(my $s, AF_UNIX, SOCK_STREAM, 0); connect($s, sockaddr_un($ARGV[0])) or die $!;
syswrite($s, "GET / HTTP/1.0\\r\\n\\r\\n"); my $a = ''; 1 while sysread($s, $a, 4096, length $a);
$a =~ /ok$/ or die "answer: $a"; printf "%d\\n", (time - $t) * 1e6;
`;

interface Target {
  readonly service: string;
  readonly socket: string;
}
const ours: Target = {
  service: `bulkhead-app@${uid}:a.service`,
  socket: `/run/bulkhead-app/${uid}/a.sock`,
};
const bare: Target = { service: 'bare.service', socket: '/run/bare.sock' };

export async function benchColdApp({ quick, signal }: Bench): Promise<Section> {
  const section = {
    name: 'cold-app',
    title: 'First request to an idle application (virtual machine, emulated processor)',
    beside: 'a service of systemd alone',
  };
  const ready = await ensurePrerequisites('vm', logToStderr);
  const image = ready.ok ? await prepareImage(logToStderr) : undefined;
  if (image?.ok !== true) return { ...section, rows: [], notes: ['skipped: there is no guest'] };
  await using guest = await startGuest(image.value);
  await setUp(guest);
  const rounds = quick ? 5 : 40;
  const [bareCold = [], bareWarm = [], cold = [], warm = []] = await inTurn(
    rounds,
    [
      () => askCold(guest, bare),
      () => ask(guest, bare),
      () => askCold(guest, ours),
      () => ask(guest, ours),
    ],
    signal,
  );
  return {
    ...section,
    rows: [compare('cold', cold, bareCold), compare('warm, the request after it', warm, bareWarm)],
    notes: [`${rounds} times each; the program is a server of a few lines in Perl`],
  };
}

async function setUp(guest: Guest): Promise<void> {
  await guest.copyProject();
  await installBuilt(guest);
  const write = (path: string, input: string) =>
    guest.succeed(`mkdir -p "$(dirname ${path})" && cat > ${path}`, { input });
  await write('/srv/app.pl', program);
  await write('/srv/ask.pl', client);
  await write('/etc/bulkhead/policy.xml', policy);
  await write('/etc/systemd/system/bare.socket', `[Socket]\nListenStream=${bare.socket}\n`);
  await write(
    '/etc/systemd/system/bare.service',
    '[Service]\nType=exec\nUser=t1\nExecStart=/usr/bin/perl /srv/app.pl\n',
  );
  await succeed(
    guest,
    `useradd -m -u ${uid} t1 && systemctl daemon-reload && systemctl start bare.socket && bulkhead apply`,
  );
}

async function askCold(guest: Guest, target: Target): Promise<number> {
  await succeed(guest, `systemctl stop '${target.service}' 2>/dev/null`);
  await until(guest, `[ "$(systemctl show -P ActiveState '${target.service}')" = inactive ]`);
  await succeed(guest, `systemctl reset-failed '${target.service}' 2>/dev/null || true`);
  return ask(guest, target);
}

const ask = async (guest: Guest, { socket }: Target): Promise<number> =>
  Number(await succeed(guest, `perl /srv/ask.pl ${socket}`)) / 1000;

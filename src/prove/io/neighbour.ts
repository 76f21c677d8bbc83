/**
 * The neighbour: a tenant with a process that has a secret in its environment, an abstract socket, and a port on loopback
 * at which it greets.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { entryFile } from '../../sys/package-files.ts';
import { perlPath } from '../attacks/perl.ts';
import type { ProveScratch } from './scratch.ts';

const secret = 'BULKHEAD_PROVE';
const startMilliseconds = 60_000;

/** Ends with its standard input. A port is free for all protocols, or another one is tried. */
const program = String.raw`
use Socket qw(:DEFAULT IN6ADDR_LOOPBACK pack_sockaddr_in6 unpack_sockaddr_in6); $| = 1;
socket my $socket, PF_UNIX, SOCK_STREAM, 0 or die "socket: $!";
bind $socket, pack('S a*', AF_UNIX, "\0$ARGV[0]") or die "bind: $!";
listen $socket, 8 or die "listen: $!";
my ($port, @tcp, @udp);
sub offer {
  my ($family, $type) = @_;
  socket my $one, $family, $type, 0 or return 1;
  my $at = $family == AF_INET ? pack_sockaddr_in($port, INADDR_LOOPBACK) : pack_sockaddr_in6($port, IN6ADDR_LOOPBACK);
  bind $one, $at or return $!{EADDRNOTAVAIL};
  ($port) = unpack_sockaddr_in(getsockname $one) unless $port;
  if ($type == SOCK_DGRAM) { push @udp, $one } else { listen $one, 64; push @tcp, $one }
  return 1;
}
for (1 .. 50) {
  ($port, @tcp, @udp) = (0);
  last if offer(AF_INET, SOCK_STREAM) and offer(AF_INET, SOCK_DGRAM) and offer(AF_INET6, SOCK_STREAM) and offer(AF_INET6, SOCK_DGRAM);
}
print "ready $port\n";
$SIG{PIPE} = 'IGNORE';
while (1) {
  my $ready = '';
  vec($ready, fileno $_, 1) = 1 for *STDIN, @tcp, @udp;
  select($ready, undef, undef, undef) > 0 or next;
  if (vec $ready, 0, 1) { sysread(STDIN, my $rest, 64) or exit }
  for (@udp) {
    next unless vec $ready, fileno $_, 1;
    my $peer = recv $_, my $text, 64, 0;
    send $_, "bulkhead prove\n", 0, $peer if defined $peer;
  }
  for (@tcp) {
    next unless vec $ready, fileno $_, 1;
    accept my $client, $_ or next;
    syswrite $client, "bulkhead prove\n";
  }
}`;

export interface ProveNeighbour extends Disposable {
  readonly pid: number;
  readonly socket: string;
  readonly port: number;
  readonly runs: () => boolean;
}

export async function startNeighbour({
  paths,
  uids,
  homes,
}: ProveScratch): Promise<Result<ProveNeighbour, Problem>> {
  // A name that nobody can take before.
  const socket = `${paths.instance}-${randomUUID()}`;
  const options = ['--instance', paths.instance, '--chdir', homes.neighbour, '--keep-env', secret];
  const command = [perlPath, '-e', program, '--', socket];
  const child = spawn(
    entryFile('bulkhead-exec'),
    [...options, String(uids.neighbour), '--', ...command],
    { cwd: '/', env: { [secret]: "the neighbour's password" }, detached: true },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(0, 1000)));
  const ready = new Promise<number | undefined>((resolve) => {
    child.stdout.once('data', (line: Buffer) =>
      resolve(Number(/^ready (\d+)$/m.exec(line.toString())?.[1])),
    );
    child.once('error', () => resolve(undefined));
    child.once('exit', () => resolve(undefined));
    setTimeout(() => resolve(undefined), startMilliseconds).unref();
  });
  const end = () => void child.kill('SIGKILL');
  const port = await ready;
  const neighbour = {
    pid: child.pid ?? 0,
    socket,
    runs: () => child.exitCode === null && child.signalCode === null,
    [Symbol.dispose]: end,
  };
  if (port !== undefined) return ok({ ...neighbour, port });
  end();
  const reason = said.trim() === '' ? 'it did not say that it is ready' : said.trim();
  return failed({ action: 'start a process of a scratch tenant', reason });
}

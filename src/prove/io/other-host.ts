/**
 * Makes the other host of a run: a process in a network of its own, at the end of a wire. Network and wire end with the
 * process, which ends with its standard input: also if this program is killed.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { createInterface } from 'node:readline';
import type { Cause } from '../../../packages/base/problem.ts';
import { perlPath } from '../attacks/perl.ts';
import { otherHost, otherHostsMax, otherPorts, type OtherHost } from '../core/other-host.ts';

export interface OtherHostHere extends Disposable {
  readonly other: OtherHost;
  /** Why there is none; its addresses exist nowhere then. */
  readonly missing: Cause | undefined;
}

/** Nobody, who owns nothing. */
const nobody = 65_534;
const startMilliseconds = 30_000;
const commandMilliseconds = 10_000;

/**
 * Waits for a line, which says that the addresses are there. A server asks for the mail port as root, and serves as
 * nobody.
 */
const program = String.raw`
use strict; use warnings; use Errno; use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 IPPROTO_IPV6 IPV6_V6ONLY);
use POSIX ();
my ($nobody, $mail, $greeting, $back, $sink, @own) = @ARGV;
$| = 1; $SIG{CHLD} = 'IGNORE'; $SIG{PIPE} = 'IGNORE';
print "here\n"; sysread(STDIN, my $go, 16) or exit;
my %tcp; my @udp;
for my $port ($mail, $greeting, $back, $sink) {
  for my $six (0, 1) {
    socket my $socket, $six ? AF_INET6 : AF_INET, SOCK_STREAM, 0 or next;
    setsockopt $socket, IPPROTO_IPV6, IPV6_V6ONLY, 1 if $six;
    bind $socket, $six ? pack_sockaddr_in6($port, "\0" x 16) : pack_sockaddr_in($port, INADDR_ANY) or die "bind $port: $!";
    listen $socket, 512 or die "listen: $!";
    $tcp{fileno $socket} = [$socket, $port];
  }
}
for my $address (@own) {
  my $six = $address =~ /:/;
  socket my $socket, $six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0 or next;
  setsockopt $socket, SOL_SOCKET, 25, "wire\0";
  bind $socket, $six ? pack_sockaddr_in6($greeting, inet_pton(AF_INET6, $address)) : pack_sockaddr_in($greeting, inet_aton($address)) or next;
  push @udp, $socket;
}
$( = $nobody; $) = "$nobody $nobody"; $< = $> = $nobody;
die 'still root' if $> == 0 or $< == 0;
print "serves\n";
sub name { my ($n) = sort grep { $!{$_} } keys %!; return $n // 'UNKNOWN' }
sub reach_back {
  my ($client, $peer) = @_;
  sysread $client, my $line, 16;
  my ($number) = ($line // '') =~ /^(\d+)$/m or return "no port\n";
  my (undef, $address) = unpack_sockaddr_in($peer);
  socket my $socket, AF_INET, SOCK_STREAM, 0 or return name() . "\n";
  local $SIG{ALRM} = sub { die "late\n" };
  my $done = eval { alarm 3; my $ok = connect $socket, pack_sockaddr_in($number, $address); my $e = name(); alarm 0; $ok ? "connected\n" : "$e\n" };
  alarm 0;
  return $done // "ETIMEDOUT\n";
}
sub ticks { return (POSIX::times())[0] }
sub swallow {
  my ($client) = @_;
  my ($began, $bytes) = (ticks(), 0);
  while (sysread $client, my $part, 1 << 18) { $bytes += length $part }
  return int($bytes * POSIX::sysconf(POSIX::_SC_CLK_TCK()) / ((ticks() - $began) || 1)) . "\n";
}
while (1) {
  my $read = '';
  vec($read, $_, 1) = 1 for 0, keys %tcp, map { fileno $_ } @udp;
  select(my $ready = $read, undef, undef, undef) > 0 or next;
  if (vec $ready, 0, 1) { sysread(STDIN, my $rest, 64) or exit }
  for (@udp) {
    next unless vec $ready, fileno $_, 1;
    my $peer = recv $_, my $text, 64, 0 or next;
    send $_, "bulkhead prove\n", 0, $peer;
  }
  for (values %tcp) {
    my ($socket, $port) = @$_;
    next unless vec $ready, fileno $socket, 1;
    my $peer = accept my $client, $socket or next;
    if ($port == $mail or $port == $greeting) { syswrite $client, "bulkhead prove\n"; next }
    my $pid = fork // next;
    next if $pid;
    alarm 60;
    syswrite $client, $port == $back ? reach_back($client, $peer) : swallow($client);
    exit;
  }
}`;

export async function startOtherHost(): Promise<OtherHostHere> {
  const other = freeOtherHost();
  const { plain, plain6, refused, refused6, metadata, metadata6 } = other;
  const { mail, greeting, back, sink } = otherPorts;
  const own = [plain, plain6, refused, refused6, metadata, metadata6];
  const words = [nobody, mail, greeting, back, sink, ...own].map(String);
  const child = spawn('unshare', ['--net', '--', perlPath, '-e', program, '--', ...words], {
    cwd: '/',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => {});
  const end = () => void child.kill('SIGKILL');
  const missing = await connect(child, other);
  if (missing !== undefined) end();
  return { other, missing, [Symbol.dispose]: end };
}

/** Returns one of whose networks no device has an address. */
function freeOtherHost(): OtherHost {
  const used = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  for (let tries = 1; ; tries++) {
    const other = otherHost(randomInt(otherHostsMax));
    const prefix = other.here.replace(/\d+$/, '');
    if (tries >= 100 || !used.some(({ address }) => address.startsWith(prefix))) return other;
  }
}

/** Makes the wire, and waits until the other host serves; returns why there is none. */
async function connect(child: ChildProcess, other: OtherHost): Promise<Cause | undefined> {
  let said = '';
  child.on('error', (error) => (said = error.message));
  child.stderr?.on('data', (part: Buffer) => (said = (said + part.toString()).slice(0, 1000)));
  if (child.stdout === null || child.stdin === null) return { reason: 'it cannot be started' };
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const timer = setTimeout(() => child.kill('SIGKILL'), startMilliseconds).unref();
  try {
    if ((await lines.next()).done === true) return cannot(said);
    const failure = wire(child.pid ?? 0, other);
    if (failure !== undefined) return cannot(failure);
    child.stdin.write('go\n');
    return (await lines.next()).done === true ? cannot(said) : undefined;
  } finally {
    clearTimeout(timer);
  }
}

const cannot = (why: string): Cause => ({
  reason: `no other host can be made here: ${why.trim() || 'its program has ended'}`,
});

/** Returns the first failure. */
function wire(pid: number, other: OtherHost): string | undefined {
  const { device, here, here6, plain, plain6, refused, refused6, metadata, metadata6 } = other;
  const there = ['--target', `${pid}`, '--net', '--', 'ip'];
  const hasIpv6 = existsSync('/proc/sys/net/ipv6');
  const six = (...commands: readonly (readonly string[])[]) => (hasIpv6 ? commands : []);
  const address = (at: string, on: string) => ['address', 'add', at, 'dev', on];
  const commands: readonly (readonly [string, ...string[]])[] = [
    ['ip', 'link', 'add', device, 'type', 'veth', 'peer', 'name', 'wire', 'netns', `${pid}`],
    ...[`${plain}/29`, `${refused}/29`, `${metadata}/32`].map(
      (each) => ['nsenter', ...there, ...address(each, 'wire')] as const,
    ),
    ['nsenter', ...there, 'link', 'set', 'wire', 'up'],
    ['ip', ...address(`${here}/29`, device)],
    ['ip', 'link', 'set', device, 'up'],
    ['ip', 'route', 'add', `${metadata}/32`, 'dev', device, 'src', here],
  ];
  for (const [command, ...words] of commands) {
    const failure = run(command, words);
    if (failure !== undefined) return failure;
  }
  // A host without IPv6 has one way less.
  for (const each of six(
    ...[`${plain6}/64`, `${refused6}/64`, `${metadata6}/64`].map((at) => [
      'nsenter',
      ...there,
      ...address(at, 'wire'),
      'nodad',
    ]),
    ['ip', ...address(`${here6}/64`, device), 'nodad'],
  ))
    run(each[0] ?? '', each.slice(1));
  return undefined;
}

function run(command: string, words: readonly string[]): string | undefined {
  const { status, error, stderr } = spawnSync(command, words, {
    encoding: 'utf8',
    timeout: commandMilliseconds,
    cwd: '/',
  });
  if (status === 0) return undefined;
  return error?.message ?? stderr.trim().split('\n', 1)[0] ?? `${command} failed`;
}

/** Returns a port that nobody has opened. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

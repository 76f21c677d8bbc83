/**
 * Attacks on the rules for the network: whom a tenant reaches, and which ports it opens. Each tries several ways to one
 * address, and got through if one of them leads there. Its control must get through by all of them.
 */
import type { Attack, Role, Stage, Start } from '../core/attack.ts';
import { otherPorts, type OtherHost } from '../core/other-host.ts';
import { perl } from './perl.ts';

/** Errors of a refusal. A packet that is dropped gets no answer, which the control shows not to be the ordinary end. */
const refusals = ['EPERM', 'EACCES', 'ETIMEDOUT'];

/**
 * SO_BINDTODEVICE is 25, IPPROTO_MPTCP 262, and MSG_FASTOPEN 0x20000000. A kernel that lacks a way, or IPv6, is asked by
 * the others.
 */
const reach = String.raw`
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6);
my ($all, $device, @ways) = @ARGV;
my (@refused, @through, $error);
sub attempt {
  my ($way, $address, $port) = @_;
  my $six = $address =~ /:/;
  my $type = $way eq 'UDP' ? SOCK_DGRAM : SOCK_STREAM;
  socket my $socket, $six ? AF_INET6 : AF_INET, $type, $way eq 'MPTCP' ? 262 : 0 or return 'none';
  if ($device ne '') { setsockopt $socket, SOL_SOCKET, 25, "$device\0" or return 'bind to the device: ' . name() }
  my $to = $six ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $address)) : pack_sockaddr_in($port, inet_aton($address));
  my $text = '';
  local $SIG{ALRM} = sub { die "ETIMEDOUT\n" };
  my $done = eval {
    alarm 3;
    if ($way eq 'fast open') { defined send $socket, 'x', 0x20000000, $to or die name() . "\n" }
    else {
      connect $socket, $to or die name() . "\n";
      $type == SOCK_STREAM or defined send $socket, 'x', 0 or die name() . "\n";
    }
    defined sysread $socket, $text, 64 or die name() . "\n";
    1;
  };
  chomp(my $failure = $@);
  alarm 0;
  return $text =~ /^bulkhead prove/ ? 'through' : 'another program answered' if $done;
  return 'none' if grep { $failure eq $_ } qw(EOPNOTSUPP ENETUNREACH EADDRNOTAVAIL EAFNOSUPPORT EHOSTUNREACH ENODEV);
  return $failure;
}
while (my ($way, $address, $port) = splice @ways, 0, 3) {
  my $result = attempt($way, $address, $port);
  my $name = $address =~ /^::ffff:/ ? "$way to a mapped address" : $address =~ /:/ ? "$way by IPv6" : $way;
  if ($result eq 'through') { push @through, $name }
  elsif (grep { $result eq $_ } qw(EPERM EACCES ETIMEDOUT)) { push @refused, $name; $error = $result unless defined $error and $error ne 'ETIMEDOUT' }
  elsif ($result ne 'none') { cannot("$name:", $result) }
}
sub list { join ', ', @_ }
if ($all) { cannot(list(@refused), "failed: $error") if @refused; cannot('no way led there') unless @through; through(list(@through)) }
through(list(@through)) if @through;
cannot('this kernel has none of the ways') unless @refused;
report('refused', $error, list(@refused)); exit 0;`;

type Way = readonly [way: string, address: string, port: number];

/** Ways by TCP, whose address may be IPv4. */
const waysTo = (four: string, six: string, port: number): readonly Way[] => [
  ['TCP', four, port],
  ['TCP', `::ffff:${four}`, port],
  ['MPTCP', four, port],
  ['fast open', four, port],
  ['TCP', six, port],
  ['MPTCP', six, port],
];

const datagrams = (four: string, six: string, port: number): readonly Way[] => [
  ['UDP', four, port],
  ['UDP', `::ffff:${four}`, port],
  ['UDP', six, port],
];

const reaching = (
  stage: Stage,
  by: Role,
  device: string,
  ways: readonly Way[],
): Pick<Start, 'program'> => ({
  program: perl(reach, stage, [by === 'attacker' ? 0 : 1, device, ...ways.flat()]),
});

export const noOther = ({ otherMissing }: Stage) => otherMissing;

/** An attack on another host, which the obstacle shows to exist. */
function toOther(
  known: Pick<Attack, 'name' | 'summary' | 'demandedBy' | 'remedy'>,
  ways: (other: OtherHost) => readonly Way[],
): Attack {
  const start = (by: Role) => (stage: Stage) =>
    reaching(stage, by, stage.other.device, ways(stage.other));
  return {
    ...known,
    refusals,
    obstacle: noOther,
    start: start('attacker'),
    control: { by: 'control', start: start('control') },
  };
}

export const directMail = toOther(
  {
    name: 'direct-mail',
    summary: 'send mail past the mail server, to port 25 of another host',
    demandedBy: 'reach.mail',
    remedy: '<reach mail="submission"/> in the policy; begin with mode="watch"',
  },
  ({ plain, plain6 }) => waysTo(plain, plain6, otherPorts.mail),
);

export const metadataService: Attack = toOther(
  {
    name: 'metadata-service',
    summary: "connect to a cloud's metadata addresses, which give out the secrets of the machine",
    demandedBy: 'reach.metadata',
    remedy: '<reach metadata="no"/> in the policy; begin with mode="watch"',
  },
  ({ metadata, metadata6 }) => [
    ...waysTo(metadata, metadata6, otherPorts.greeting),
    ...datagrams(metadata, metadata6, otherPorts.greeting),
  ],
);

export const refusedAddress: Attack = toOther(
  {
    name: 'refused-address',
    summary: 'connect to an address that the policy refuses',
    demandedBy: 'reach.address',
    remedy: '<reach> with <refuse address="…"/> in the policy; begin with mode="watch"',
  },
  ({ refused, refused6 }) => [
    ...waysTo(refused, refused6, otherPorts.greeting),
    ...datagrams(refused, refused6, otherPorts.greeting),
  ],
);

const toNeighbour = (by: Role) => (stage: Stage) =>
  reaching(stage, by, '', [
    ...waysTo('127.0.0.1', '::1', stage.neighbourPort),
    ...datagrams('127.0.0.1', '::1', stage.neighbourPort),
  ]);

export const neighbourPort: Attack = {
  name: 'neighbour-port',
  summary: "connect to another tenant's service on this host, such as its Node.js port",
  demandedBy: 'reach.tenants',
  remedy: '<reach tenants="no"/> in the policy; begin with mode="watch"',
  refusals,
  start: toNeighbour('attacker'),
  control: { by: 'control', start: toNeighbour('control') },
};

const open = String.raw`
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6);
my ($all, $port) = @ARGV;
my (@refused, @opened);
for (['127.0.0.1'], ['0.0.0.0'], ['0.0.0.0', 262], ['::1'], ['::'], ['::ffff:127.0.0.1']) {
  my ($address, $protocol) = @$_;
  my $six = $address =~ /:/;
  socket my $socket, $six ? AF_INET6 : AF_INET, SOCK_STREAM, $protocol // 0 or next;
  my $at = $six ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $address)) : pack_sockaddr_in($port, inet_aton($address));
  if (bind $socket, $at) { push @opened, $address; next }
  my $e = name();
  next if $e eq 'EADDRNOTAVAIL';
  cannot("$address:", $e) unless $e eq 'EPERM' or $e eq 'EACCES';
  push @refused, $address;
}
cannot('open it at', @refused) if $all and @refused;
through("opened it at", join ', ', @opened) if @opened;
report('refused EPERM at', join ', ', @refused); exit 0;`;

const opening = (by: Role) => (stage: Stage) => ({
  program: perl(open, stage, [by === 'attacker' ? 0 : 1, stage.keptPort]),
});

export const keptPort: Attack = {
  name: 'kept-port',
  summary: 'open a port that is kept for another tenant, while its service is down',
  demandedBy: 'listen.ports',
  remedy: '<listen ports="…"/> for the tenant in the policy',
  start: opening('attacker'),
  control: { by: 'neighbour', start: opening('neighbour') },
};

const offer = String.raw`
use Socket;
my ($device, $here, $other, $back) = @ARGV;
socket my $server, AF_INET, SOCK_STREAM, 0 or failed('make a socket:');
bind $server, pack_sockaddr_in(0, inet_aton($here)) or failed('bind:');
listen $server, 8 or failed('listen:');
my ($port) = unpack_sockaddr_in(getsockname $server);
socket my $asking, AF_INET, SOCK_STREAM, 0 or failed('make a socket:');
setsockopt $asking, SOL_SOCKET, 25, "$device\0" or failed('bind to the device:');
$SIG{ALRM} = sub { cannot('the other host does not answer') }; alarm 20;
connect $asking, pack_sockaddr_in($back, inet_aton($other)) or failed('ask the other host:');
syswrite $asking, "$port\n";
sysread $asking, my $answer, 64;
through('the other host connected') if ($answer // '') =~ /^connected/;
report('refused', $1, 'from the other host') , exit if ($answer // '') =~ /^(E\w+)/;
cannot('the other host said nothing');`;

const offering = (stage: Stage) => {
  const { device, here, plain } = stage.other;
  return { program: perl(offer, stage, [device, here, plain, otherPorts.back]) };
};

export const publicPort: Attack = {
  name: 'public-port',
  summary: 'offer a service to other hosts at a port of its own',
  demandedBy: 'listen.public',
  remedy: '<listen public="no"/> in the policy; begin with mode="watch"',
  refusals: ['ETIMEDOUT'],
  obstacle: noOther,
  start: offering,
  control: { by: 'control', start: offering },
};

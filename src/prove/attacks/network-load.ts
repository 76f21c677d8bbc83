/** Attacks on limits of the network: more connections, and more bytes, than the limit allows. */
import type { Attack, Stage } from '../core/attack.ts';
import { blocked, impossible, through, type AttackEvidence } from '../core/outcome.ts';
import { otherPorts } from '../core/other-host.ts';
import { networkLimits } from '../core/scratch-network.ts';
import { noOther } from './network.ts';
import { perl } from './perl.ts';

const MiB = 2 ** 20;

/** Far more than the limit lets through while they are tried. */
const connectionsTried = 20 * networkLimits.connections;

const storm = String.raw`
use Socket;
my ($device, $other, $port, $count) = @ARGV;
$SIG{ALRM} = sub { cannot('the other host does not answer') };
for my $done (0 .. $count - 1) {
  alarm 20;
  socket my $socket, AF_INET, SOCK_STREAM, 0 or failed('make a socket:');
  setsockopt $socket, SOL_SOCKET, 25, "$device\0" or failed('bind to the device:');
  connect $socket, pack_sockaddr_in($port, inet_aton($other)) or refused('after', $done, 'connections');
}
through("$count connections");`;

const stormStart: Attack['start'] = (stage) => {
  const { device, plain } = stage.other;
  return { program: perl(storm, stage, [device, plain, otherPorts.greeting, connectionsTried]) };
};

export const connectionStorm: Attack = {
  name: 'connection-storm',
  summary: 'open connections to another host as fast as it goes, as a port scan does',
  demandedBy: 'network.connections',
  remedy: '<network connections="…/s"/> in the policy',
  obstacle: noOther,
  start: stormStart,
  control: { by: 'control', start: stormStart },
};

/** Enough to show that nothing limits it; at the limit, it takes some seconds. */
const sentBytesMax = 12 * MiB;

/** The other host says how much came, and in which time: the sender also counts what waits. */
const upload = String.raw`
use Socket;
my ($device, $other, $port, $most) = @ARGV;
socket my $socket, AF_INET, SOCK_STREAM, 0 or failed('make a socket:');
setsockopt $socket, SOL_SOCKET, 25, "$device\0" or failed('bind to the device:');
setsockopt $socket, SOL_SOCKET, SO_SNDBUF, 131072;
$SIG{ALRM} = sub { cannot('the other host does not answer') }; alarm 60;
connect $socket, pack_sockaddr_in($port, inet_aton($other)) or failed('connect:');
my ($sent, $piece) = (0, 'x' x 65536);
while ($sent < $most) { my $part = syswrite $socket, $piece; failed('send:') unless defined $part; $sent += $part }
shutdown $socket, 1;
sysread $socket, my $rate, 64;
cannot('the other host said nothing') unless ($rate // '') =~ /^(\d+)\n/;
print "measured $1\n";`;

const uploadStart: Attack['start'] = (stage) => {
  const { device, plain } = stage.other;
  return { program: perl(upload, stage, [device, plain, otherPorts.sink, sentBytesMax]) };
};

/** One second of the limit may pass at once. */
const tolerance = 1.5;

function judgeUpload({ said, ended }: AttackEvidence, { sendLimit }: Stage) {
  if (said?.word !== 'measured')
    return impossible(said?.text ?? `the program said nothing: ${ended}`);
  const rate = Number(said.text);
  const text = `${(rate / MiB).toFixed(1)} MiB/s`;
  if (sendLimit !== undefined && rate <= sendLimit * tolerance)
    return blocked(`${text}, the limit is ${sendLimit / MiB} MiB/s`);
  return through(text);
}

export const uploadFlood: Attack = {
  name: 'upload-flood',
  summary: 'send to another host as fast as it goes, and fill the line of all',
  demandedBy: 'network.send',
  remedy: '<network send="…"/> in the policy',
  obstacle: noOther,
  start: uploadStart,
  control: { by: 'control', start: uploadStart },
  judge: judgeUpload,
};

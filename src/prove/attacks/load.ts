/** Attacks that use up the host: processor, memory, processes, descriptors. */
import type { Counters } from '../../limits/limit.ts';
import type { Attack, Stage } from '../core/attack.ts';
import { blocked, impossible, judgeSaid, through, type AttackEvidence } from '../core/outcome.ts';
import { noNumbers, perl } from './perl.ts';

const percent = (share: number) => `${Math.round(share * 100)}%`;
/** The minimum number of periods of 0.1 s; fewer say little about a rate. */
const throttledPeriodsMin = 10;
export const secondsMin = 2;
/** The maximum time on a host that is so busy that the rate does not rise to its limit, or not fall to it. */
export const busySecondsMax = 20;
/** The factor by which the kernel may exceed a rate, since it counts by processor and period. */
const tolerance = 1.25;

const shareOf = ({ cpuMicroseconds }: Counters, seconds: number) => cpuMicroseconds / 1e6 / seconds;

/**
 * Whether the share was enforced at `limit`, over a time long enough to know. A virtual machine that loses its
 * processors for a moment lets a process have too much at first, which the kernel subtracts from the periods after
 * that.
 */
export const isAtLimit = (counters: Counters, seconds: number, limit: number): boolean =>
  counters.throttledPeriods >= throttledPeriodsMin &&
  shareOf(counters, seconds) <= limit * tolerance;

const spin = String.raw`for (1 .. $ARGV[0]) { fork or last } 1 while 1;`;

export const busyLoop: Attack = {
  name: 'busy-loop',
  summary: 'a busy loop on every processor',
  demandedBy: 'cpu.limit',
  remedy: '<cpu limit="…"/> in the policy',
  watch: 'processor',
  start: (stage) => ({ program: perl(spin, stage, [stage.cores]) }),
  judge: ({ counters, seconds }, { limits }) => {
    const share = shareOf(counters, seconds);
    const used = `it had ${percent(share)} of a core`;
    if (limits.cpu === undefined) {
      return share > 0.3 ? through(used) : impossible(`the host is too busy: ${used}`);
    }
    if (share > limits.cpu * tolerance)
      return through(`${used}, the limit is ${percent(limits.cpu)}`);
    if (counters.throttledPeriods >= throttledPeriodsMin)
      return blocked(`${used}, stopped ${counters.throttledPeriods} times`);
    return impossible(`the host is too busy to bring it to its limit: ${used}`);
  },
};

/** Returns the memory to use, in MiB; if there is no limit, twice the limit of other runs. */
const hogMebibytes = ({ limits }: Stage) => ((limits.memory ?? 64 * 2 ** 20) * 2) / 2 ** 20;

const hog = String.raw`
my @all;
for (1 .. $ARGV[0]) { push @all, 'x' x 1048576 }
through("$ARGV[0] MiB");`;

/** The memory that the host must have available: four times what the control uses, in bytes. */
const spareBytes = 512 * 2 ** 20;

export const memoryHog: Attack = {
  name: 'memory-hog',
  summary: 'fill memory up to twice the limit',
  demandedBy: 'memory.limit',
  remedy: '<memory limit="…"/> in the policy',
  obstacle: ({ availableBytes = 0 }) =>
    availableBytes < spareBytes
      ? { reason: 'the host has less than 512 MiB of memory to spare' }
      : undefined,
  start: (stage) => ({ program: perl(hog, stage, [hogMebibytes(stage)]) }),
  control: {
    by: 'control',
    start: (stage) => ({ program: perl(hog, stage, [hogMebibytes(stage)]) }),
  },
  judge: (evidence) => judgeKilled(evidence, []),
};

/** Judges a program that the kernel may have killed, which then prints nothing more. */
function judgeKilled(evidence: AttackEvidence, refusals: readonly string[]) {
  const { said, counters, ended } = evidence;
  if (said !== undefined) return judgeSaid(evidence, refusals);
  if (counters.memoryHits + counters.oomKills > 0)
    return blocked(`killed at the limit of its memory (${ended})`);
  return impossible(`the program said nothing: ${ended}`);
}

const tooMany = ({ limits }: Stage) => (limits.processes ?? 40) * 3;

/** Forks often: the launcher needs a process too, and Perl none. */
const storm = String.raw`
for my $n (1 .. $ARGV[0]) {
  my $pid = fork;
  refused("after $n processes") unless defined $pid;
  if (!$pid) { sleep 3600; exit }
}
through("$ARGV[0] processes");`;

export const forkStorm: Attack = {
  name: 'fork-storm',
  summary: 'start three times as many processes as the limit allows',
  demandedBy: 'processes.limit',
  remedy: '<processes limit="…"/> in the policy',
  refusals: ['EAGAIN'],
  start: (stage) => ({ program: perl(storm, stage, [tooMany(stage)]) }),
  control: {
    by: 'control',
    start: (stage) => ({ program: perl(storm, stage, [tooMany(stage)]) }),
  },
};

/** Starts threads by a library call: Perl has threads only with further packages. */
const threads = String.raw`
const [, path, most] = process.argv;
const koffi = require(path);
const libc = koffi.load('libc.so.6');
const create = libc.func('int pthread_create(void *thread, void *attributes, void *start, void *argument)');
const pause = libc.symbol('pause', 'void');
const thread = Buffer.alloc(8);
let made = 0, error = 0;
while (made < Number(most) && (error = create(thread, null, pause, null)) === 0) made++;
const text = error === 0 ? 'through ' + made + ' threads' : 'refused ' + (error === 11 ? 'EAGAIN' : 'error ' + error) + ' after ' + made + ' threads';
require('fs').writeSync(1, text + '\n');
setInterval(() => {}, 1000);`;

const threadStart = (stage: Stage) => {
  const [node, koffi] = stage.node;
  const small = ['--v8-pool-size=0', '--single-threaded', '--max-old-space-size=16'];
  return { program: [node, ...small, '-e', threads, koffi, String(tooMany(stage))] };
};

export const threadStorm: Attack = {
  name: 'thread-storm',
  summary: 'start three times as many threads as the limit allows processes',
  demandedBy: 'processes.limit',
  remedy: '<processes limit="…"/> in the policy',
  refusals: ['EAGAIN'],
  start: threadStart,
  control: { by: 'control', start: threadStart },
};

const chains = String.raw`
for (1 .. $ARGV[0]) {
  my $pid = fork;
  next if $pid or not defined $pid;
  while (1) { my $pid = fork; exit if $pid; select undef, undef, undef, 0.002 unless defined $pid }
}
sleep 3600;`;

/** How often its processes must have been seen. */
export const sightingsMin = 40;

export const forkChains: Attack = {
  name: 'fork-chains',
  summary: 'processes that fork and exit at once, over and over',
  demandedBy: 'limits',
  remedy: 'start what must stay inside with "bulkhead exec" or "bulkhead pam enable"',
  watch: 'placement',
  start: (stage) => ({ program: perl(chains, stage, [8]) }),
  judge: ({ inside, outside, survivors }) => {
    if (outside.length > 0) return through(`a process was in ${outside[0]}`);
    if (survivors > 0) return through(`${survivors} could not be killed`);
    if (inside < sightingsMin) return impossible(`only ${inside} processes were seen`);
    return blocked(`seen ${inside} times, always inside; then killed`);
  },
};

/** The soft limit is raised as far as it goes. */
const descriptors = String.raw`
use POSIX ();
my $limit = pack 'QQ', 0, 0;
syscall($nr{prlimit64}, 0, 7, 0, $limit) == 0 or failed('read the limit of descriptors:');
my (undef, $hard) = unpack 'QQ', $limit;
$limit = pack 'QQ', $hard, $hard;
syscall($nr{prlimit64}, 0, 7, $limit, 0);
my $n = 0;
while ($n < $ARGV[0]) { defined POSIX::open('/dev/null') or refused("after $n descriptors"); $n++ }
through("$n descriptors");`;

export const descriptorFlood: Attack = {
  name: 'descriptor-flood',
  summary: 'open files until something says no',
  demandedBy: 'memory.limit',
  remedy: '<memory limit="…"/> in the policy, which counts them; nofile in limits.conf',
  obstacle: noNumbers,
  refusals: ['EMFILE', 'ENOMEM'],
  start: (stage) => ({ program: perl(descriptors, stage, [stage.descriptorsMax]) }),
  judge: (evidence) => judgeKilled(evidence, ['EMFILE', 'ENOMEM']),
};

/** Attacks that leave the cgroup, or use descriptors and directories that root leaves open by mistake. */
import type { Attack } from '../core/attack.ts';
import { blocked, judgeSaid } from '../core/outcome.ts';
import { noNumbers, perl } from './perl.ts';
import { wasRefused } from './programs.ts';

/** A process may move itself by writing 0. */
const move = String.raw`
my ($tried, $error) = (0);
for my $directory (@ARGV) {
  for my $name ('cgroup.procs', 'tasks') {
    next unless -e "$directory/$name";
    $tried++;
    if (open my $file, '>', "$directory/$name") { syswrite($file, '0') and through('moved to', $directory) }
    $error = $!;
  }
}
$! = 2, refused('no cgroup is seen') unless $tried;
$! = $error;
refused("$tried files");`;

export const cgroupMove: Attack = {
  name: 'cgroup-move',
  summary: 'move out of the cgroup: to the top, or to another tenant',
  demandedBy: 'limits',
  remedy: 'nothing has to: cgroups belong to root; look for a chmod or chown on /sys/fs/cgroup',
  start: (stage) => ({
    program: perl(move, stage, [...stage.cgroups.top, ...stage.cgroups.neighbour]),
  }),
};

const raise = String.raw`
my ($tried, $error, @open) = (0);
for my $directory (@ARGV) {
  for my $path (glob "$directory/*") {
    next unless -f $path;
    my $mode = (stat $path)[2] // next;
    next unless $mode & 0222;
    $tried++;
    if (open my $file, '>', $path) { push @open, $path } else { $error = $! }
  }
  push @open, "$directory/new" if mkdir "$directory/new";
  rmdir "$directory/new";
}
$! = 2, refused('no file of the cgroup is seen') unless $tried;
through('can write', @open) if @open;
$! = $error;
refused("$tried files");`;

export const cgroupLimits: Attack = {
  name: 'cgroup-limits',
  summary: 'raise its own limits, or make a cgroup below its own',
  demandedBy: 'limits',
  remedy: 'nothing has to: cgroups belong to root; look for a chmod or chown on /sys/fs/cgroup',
  start: (stage) => ({ program: perl(raise, stage, stage.cgroups.attacker) }),
};

/** Uses CLONE_NEWUSER, CLONE_NEWNS and CLONE_NEWCGROUP; then the namespace's root mounts the hierarchy again. */
const remount = String.raw`
my ($uid, $directory) = @ARGV;
namespace(0x10000000 | 0x20000 | 0x2000000);
open my $map, '>', '/proc/self/uid_map' or failed('map a uid:');
syswrite $map, "0 $uid 1\n" or failed('map a uid:');
mkdir "$directory/cgroups";
my @tried;
for (['cgroup2', ''], ['cgroup', 'memory'], ['cgroup', 'pids'], ['cgroup', 'cpu']) {
  my ($type, $data) = @$_;
  my ($source, $target) = ('none', "$directory/cgroups");
  next if syscall($nr{mount}, $source, $target, $type, 0, $data) != 0;
  push @tried, $type;
  for my $name (glob "$target/*") { next unless -f $name; my $mode = (stat $name)[2]; next unless $mode & 0222;
    if (open my $file, '>', $name) { through('can write', $name, 'of', $type) } }
}
print "refused EACCES ", (@tried ? "mounted @tried, but could write nothing" : 'could mount none'), "\n";`;

export const cgroupNamespace: Attack = {
  name: 'cgroup-namespace',
  summary: 'mount the cgroups again in namespaces of its own, as their root',
  demandedBy: 'limits',
  remedy: 'sysctl user.max_user_namespaces=0, if nothing on this host needs user namespaces',
  obstacle: noNumbers,
  start: (stage) => ({
    program: perl(remount, stage, [stage.uids.attacker, stage.homes.attacker]),
  }),
};

const oomScore = String.raw`
for my $value (-1000, -1) {
  open my $file, '>', '/proc/self/oom_score_adj' or refused('open');
  syswrite($file, $value) or next;
  through('oom_score_adj', $value);
}
refused('write');`;

export const oomScoreAdjust: Attack = {
  name: 'oom-score',
  summary: 'make itself unkillable when memory is used up (oom_score_adj)',
  demandedBy: 'memory.limit',
  remedy: 'start it with "bulkhead exec", which sets the lowest value that it may use',
  start: (stage) => ({ program: perl(oomScore, stage) }),
};

/** SCHED_FIFO is 1. */
const priority = String.raw`
my $parameter = pack 'i', 1;
through('runs in real time') if syscall($nr{sched_setscheduler}, 0, 1, $parameter) == 0;
through('raised its priority') if setpriority(0, 0, -20);
refused('setpriority');`;

export const raisePriority: Attack = {
  name: 'priority',
  summary: 'run before everything else (real time, nice -20)',
  demandedBy: 'separation',
  remedy: 'rtprio and nice in limits.conf must not name tenants',
  obstacle: noNumbers,
  start: (stage) => ({ program: perl(priority, stage) }),
};

const viaDescriptor = String.raw`
open my $file, '<', '/proc/self/fd/3/secret' or refused('descriptor 3');
through('read', scalar <$file>);`;

export const leakedDescriptor: Attack = {
  name: 'leaked-descriptor',
  summary: 'use a directory that root left open when it started the tenant',
  demandedBy: 'limits',
  remedy: '"bulkhead exec" without --keep-fds',
  refusals: ['ENOENT', 'EACCES', 'EPERM'],
  start: (stage) => ({ program: perl(viaDescriptor, stage), leak: stage.hidden }),
  control: {
    by: 'control',
    start: (stage) => ({
      program: perl(viaDescriptor, stage),
      leak: stage.hidden,
      keepDescriptors: true,
    }),
  },
};

const viaDirectory = String.raw`
open my $file, '<', './secret' or refused('open ./secret');
through('read', scalar <$file>);`;

export const leakedDirectory: Attack = {
  name: 'leaked-cwd',
  summary: 'use the directory in which root was when it started the tenant',
  demandedBy: 'limits',
  remedy: '"bulkhead exec", which changes to the home of the tenant',
  refusals: ['ENOENT', 'EACCES', 'EPERM'],
  start: (stage) => ({ program: perl(viaDirectory, stage), cwd: stage.hidden }),
  control: {
    by: 'control',
    start: (stage) => ({
      program: perl(viaDirectory, stage),
      cwd: stage.hidden,
      plain: true,
    }),
  },
};

export const outsideCgroup: Attack = {
  name: 'placement',
  summary: "run outside its cgroup, started by another account's daemon, which knows no cgroups",
  demandedBy: 'placement',
  remedy: '<placement strict="yes"/> in the policy, where the kernel asks BPF programs',
  start: (stage) => ({ program: perl("through('runs there')", stage), outside: true }),
  control: {
    by: 'control',
    start: (stage) => ({ program: perl("through('runs there')", stage), plain: true }),
  },
  // The kernel refuses it to the program that starts it, before its first instruction.
  judge: (evidence) =>
    evidence.said === undefined && /setres.id failed: Operation not permitted/.test(evidence.ended)
      ? blocked('the kernel did not let it become the tenant')
      : wasRefused(evidence.said, evidence.ended)
        ? blocked('the kernel did not let it start outside its jail')
        : judgeSaid(evidence, []),
};

/** Opens a separate terminal, so that it types into nobody's. TIOCGPTN, TIOCSPTLCK, TIOCSTI. */
const type = String.raw`
use Fcntl; use POSIX ();
my $child = fork // failed('fork:');
if ($child) { waitpid $child, 0; exit }
POSIX::setsid();
sysopen my $main, '/dev/ptmx', O_RDWR | O_NOCTTY or failed('open /dev/ptmx:');
my $number = pack 'i', 0;
ioctl $main, 0x80045430, $number or failed('ask for the number of a terminal:');
my $zero = pack 'i', 0;
ioctl $main, 0x40045431, $zero or failed('unlock a terminal:');
sysopen my $tty, '/dev/pts/' . unpack('i', $number), O_RDWR or failed('open a terminal:');
my $letter = 'x';
ioctl $tty, 0x5412, $letter or refused('TIOCSTI');
through('typed into its terminal');`;

export const typeIntoTerminal: Attack = {
  name: 'tiocsti',
  summary: 'type into the terminal from which root started it (TIOCSTI)',
  demandedBy: 'jail',
  remedy: 'sysctl dev.tty.legacy_tiocsti=0 (Linux 6.2 and newer)',
  refusals: ['EPERM', 'EACCES', 'EIO'],
  start: (stage) => ({ program: perl(type, stage) }),
};

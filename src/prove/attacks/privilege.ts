/** Attacks that become root, or get privileges that only root has: setuid programs, devices, mounts, namespaces. */
import type { Attack, Stage } from '../core/attack.ts';
import { noNumbers, perl } from './perl.ts';

/** Starts `su`, which waits for a password; meanwhile its uid is read. It is never given one. */
const setuid = String.raw`
my ($program) = grep { -u && (stat)[4] == 0 && -x } map { ("/usr/bin/$_", "/bin/$_") } qw(su passwd chsh newgrp mount);
cannot('find a setuid program') unless $program;
pipe my $in, my $out;
my $pid = fork // failed('fork:');
if ($pid == 0) { open STDIN, '<&', $in; open STDOUT, '>', '/dev/null'; open STDERR, '>', '/dev/null'; close $out; exec $program or exit 127 }
for (1 .. 200) {
  open my $status, '<', "/proc/$pid/status" or last;
  my ($comm) = (my $text = join '', <$status>) =~ /^Name:\s+(\S+)/;
  if (defined $comm and $comm ne 'perl') {
    my ($real, $effective) = $text =~ /^Uid:\s+(\d+)\s+(\d+)/m;
    last if $text =~ /^State:\s+Z/m;
    kill 'KILL', $pid;
    through("$program runs as root") if $effective == 0;
    print "refused EPERM $program runs as uid $effective\n"; exit;
  }
  select undef, undef, undef, 0.01;
}
cannot("see what $program runs as: it ended too soon");`;

export const setuidProgram: Attack = {
  name: 'setuid',
  summary: 'run a program that becomes root (setuid)',
  demandedBy: 'jail',
  remedy: '"bulkhead exec" without --allow-setuid; no_new_privs',
  start: (stage) => ({ program: perl(setuid, stage) }),
};

/** S_IFBLK, and the numbers of the first SCSI disk. */
const node = String.raw`
my $path = "$ARGV[0]/disk";
unlink $path;
syscall($nr{mknodat}, -100, $path, 060600, 0x800) == 0 or refused('mknod');
unlink $path;
through('made a block device');`;

export const makeDevice: Attack = {
  name: 'device-node',
  summary: 'make a device node of a disk',
  demandedBy: 'separation',
  remedy: 'nothing has to: the kernel asks for CAP_MKNOD',
  obstacle: noNumbers,
  start: (stage) => ({ program: perl(node, stage, [stage.homes.attacker]) }),
};

const devices = String.raw`
my ($error, @open);
my @paths = grep { -b } glob '/dev/* /dev/mapper/*';
push @paths, grep { -e } map { "/dev/$_" } qw(mem kmem port);
for (@paths) { if (open my $file, '<', $_) { push @open, $_ } else { $error = $! } }
$! = 2, refused('no disk is seen in /dev') unless @paths;
through('can read', @open) if @open;
$! = $error;
refused(scalar @paths, 'devices');`;

export const openDevices: Attack = {
  name: 'devices',
  summary: 'read the disks and the memory of the host through /dev',
  demandedBy: 'separation',
  remedy: 'tenants must not be in the groups "disk" and "kmem"; look at the modes in /dev',
  start: (stage) => ({ program: perl(devices, stage) }),
};

const mount = String.raw`
my ($source, $target, $type, $none) = ('none', $ARGV[0], 'tmpfs', '');
syscall($nr{mount}, $source, $target, $type, 0, $none) == 0 or refused('mount');
through('mounted a tmpfs');`;

export const mountTmpfs: Attack = {
  name: 'mount',
  summary: 'mount a file system over a directory of its own',
  demandedBy: 'separation',
  remedy: 'nothing has to: the kernel asks for CAP_SYS_ADMIN',
  obstacle: noNumbers,
  start: (stage) => ({ program: perl(mount, stage, [stage.homes.attacker]) }),
};

const fsopen = String.raw`
my $type = 'tmpfs';
syscall($nr{fsopen}, $type, 0) >= 0 or refused('fsopen');
through('opened a file system');`;

export const mountNew: Attack = {
  name: 'mount-new',
  summary: 'the same by the newer system calls (fsopen)',
  demandedBy: 'separation',
  remedy: 'nothing has to: the kernel asks for CAP_SYS_ADMIN',
  obstacle: noNumbers,
  start: (stage) => ({ program: perl(fsopen, stage) }),
};

const noNamespaces =
  'sysctl user.max_user_namespaces=0 (or kernel.unprivileged_userns_clone=0, or AppArmor), if nothing here needs them';
/** The errors of namespaces. ENOSPC and EUSERS: the host allows none. */
const namespaceErrors = ['EPERM', 'EACCES', 'ENOSPC', 'EUSERS'];

const unshare = String.raw`
syscall($nr{unshare}, 0x10000000) == 0 or refused('unshare');
through('made a user namespace');`;

export const userNamespace: Attack = {
  name: 'user-namespace',
  summary: 'make a user namespace, in which it has all capabilities',
  demandedBy: 'jail',
  remedy: noNamespaces,
  refusals: namespaceErrors,
  obstacle: noNumbers,
  start: (stage) => ({ program: perl(unshare, stage) }),
};

/** struct clone_args has 88 bytes; the signal of the end is SIGCHLD. */
const clone = String.raw`
my $arguments = pack 'Q11', 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0;
my $pid = syscall($nr{clone3}, $arguments, 88);
syscall($nr{exit_group}, 0) if $pid == 0;
refused('clone3') if $pid < 0;
waitpid $pid, 0;
through('made a user namespace');`;

export const userNamespaceClone3: Attack = {
  name: 'clone3',
  summary: 'the same by clone3, whose flags a seccomp filter cannot read',
  demandedBy: 'jail',
  remedy: noNamespaces,
  // A seccomp filter answers ENOSYS, and programs then use the older call.
  refusals: [...namespaceErrors, 'ENOSYS'],
  obstacle: noNumbers,
  start: (stage) => ({ program: perl(clone, stage) }),
};

/** Takes another tenant's uid. The other tenant has no namespace, so only the privileges of `newuidmap` would help. */
const subordinate = String.raw`
my ($uid, $other) = @ARGV;
namespace(0x10000000);
open my $map, '>', '/proc/self/uid_map' or failed('open uid_map:');
syswrite($map, "0 $uid 1\n1 $other 1\n") or refused('write uid_map');
through('has the uid of another tenant');`;

export const subordinateUid: Attack = {
  name: 'subordinate-uid',
  summary: "take another tenant's uid in a user namespace",
  demandedBy: 'separation',
  remedy: 'nothing has to: the kernel asks for CAP_SETUID in the namespace above',
  obstacle: noNumbers,
  start: (stage) => ({
    program: perl(subordinate, stage, [stage.uids.attacker, stage.uids.neighbour]),
  }),
};

/** Mounts in a mount namespace of its own, so that nobody on this host meets a file system that never answers. */
const fuse = String.raw`
use Fcntl;
my ($uid, $directory) = @ARGV;
sysopen my $device, '/dev/fuse', O_RDWR or refused('open /dev/fuse');
namespace(0x10000000 | 0x20000);
open my $map, '>', '/proc/self/uid_map' or failed('map a uid:');
syswrite $map, "0 $uid 1\n" or failed('map a uid:');
if (open my $groups, '>', '/proc/self/setgroups') { syswrite $groups, 'deny' }
open my $gids, '>', '/proc/self/gid_map' or failed('map a gid:');
syswrite $gids, "0 $uid 1\n" or failed('map a gid:');
my ($source, $target, $type) = ('bulkhead-prove', $directory, 'fuse');
my $data = 'fd=' . fileno($device) . ',rootmode=40000,user_id=0,group_id=0';
syscall($nr{mount}, $source, $target, $type, 6, $data) == 0 or refused('mount');
through('mounted FUSE');`;

export const fuseMount: Attack = {
  name: 'fuse',
  summary: 'mount a file system that it serves itself (FUSE)',
  demandedBy: 'jail',
  remedy: 'chmod 660 /dev/fuse; without fusermount3, user namespaces are the only way',
  obstacle: noNumbers,
  start: (stage: Stage) => ({
    program: perl(fuse, stage, [stage.uids.attacker, stage.homes.attacker]),
  }),
};

#!/usr/bin/perl
# What somebody who has broken into a daemon would try, on x86-64: prints "NAME through" or "NAME blocked: why".
# attack.pl REPORT
use strict; use warnings; use Errno;
my ($report) = @ARGV;
open my $out, '>', $report or die "$report: $!";
my $name = "attack.$$";

sub try {
  my ($what, $do) = @_;
  $! = 0;
  my $got = eval { $do->() };
  print $out $got ? "$what through\n" : "$what blocked: $!\n";
}
sub in_child {
  my ($do) = @_;
  my $pid = fork // die;
  if (!$pid) { exit($do->() ? 0 : $! + 0) }
  waitpid $pid, 0;
  $! = $? >> 8;
  return !$?;
}
sub writes { my ($dir) = @_; return sub { open(my $f, '>', "$dir/$name") or return 0; close $f; unlink "$dir/$name"; 1 } }
sub lists { my ($dir) = @_; return sub { opendir(my $h, $dir) or return 0; (grep { !/^\.\.?$/ } readdir $h) > 0 } }

try "write $_", writes($_) for qw(/etc /usr/bin /usr/local/bin /boot /etc/systemd/system /run/systemd/system /run
  /run/lock /var/lib/dpkg /root /opt /var/spool/cron/crontabs /var/lib/bulkhead);
try 'append to passwd', sub { open(my $f, '>>', '/etc/passwd') or return 0; 1 };
try "list $_", lists($_) for qw(/root /etc/ssh /home);
try 'read of a home', sub { open(my $f, '<', '/home/bob/private') or return 0; 1 };
try 'set-id program', sub {
  my ($path) = $report =~ m{^(.*/)}; $path .= $name;
  open(my $f, '>', $path) or return 0;
  my $done = chmod 04755, $path; my $why = $!;
  unlink $path; $! = $why;
  return $done;
};
try 'mount', sub {
  my ($source, $target, $type) = ('none', '/tmp', 'tmpfs');
  syscall(165, $source, $target, $type, 0, 0) != -1 or return 0;
  syscall(166, $target, 0);
  return 1;
};
try 'user namespace', sub { in_child(sub { syscall(272, 0x10000000) != -1 }) };
try 'mount namespace', sub { in_child(sub { syscall(272, 0x00020000) != -1 }) };
# Behind the question for the capability is the one for the content, which is not a module.
try 'module', sub { my ($image, $words) = ("\0" x 64, ''); syscall(175, $image, 64, $words) != -1 || $!{ENOEXEC} };
try 'bpf', sub { my $map = pack('LLLLx112', 2, 4, 4, 1); syscall(321, 0, $map, 128) != -1 };
try 'ptrace', sub {
  my $pid = fork // die;
  if (!$pid) { sleep 3600; exit }
  my $done = syscall(101, 16, $pid, 0, 0) != -1; my $why = $!;
  kill 9, $pid; waitpid $pid, 0; $! = $why;
  return $done;
};
try 'device node', sub {
  my $path = "/tmp/$name";
  my $done = syscall(133, $path, 0060600, 0x0801) != -1; my $why = $!;
  unlink $path; $! = $why;
  return $done;
};
try 'disks', sub { my @disks = glob '/dev/vd[a-z]'; $! = 2; @disks > 0 };
try 'packet socket', sub { syscall(41, 17, 3, 0) != -1 };
try 'host name', sub { open(my $f, '<', '/proc/sys/kernel/hostname'); my $host = <$f>; chomp $host; syscall(170, $host, length $host) != -1 };
try 'kernel log', sub { my $text = "\0" x 64; syscall(103, 3, $text, 64) != -1 };
try 'sysctl', sub { open(my $f, '>>', '/proc/sys/kernel/core_pattern') or return 0; 1 };
try 'cgroup', sub { my $dir = "/sys/fs/cgroup/$name"; mkdir $dir or return 0; rmdir $dir; 1 };
try 'root of process 1', sub { defined readlink '/proc/1/root' };
try 'personality', sub { in_child(sub { syscall(135, 0x0008) != -1 }) };
close $out;

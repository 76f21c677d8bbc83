/** Requests that go on while the package changes, and a look at the limits after each. */
import { tenants } from './host.ts';

/** The content of /run/load/report. */
export interface LoadReport {
  /** Answers that came from PHP in the tenant's slice. */
  readonly served: number;
  /** Other answers, and limits that had another value. */
  readonly wrong: readonly string[];
}

/** `load` asks until /run/load/stop is there; `load NAME` prints one answer. */
export const load = String.raw`#!/usr/bin/perl
use strict;
use warnings;
use IO::Socket::INET;

my @tenants = (${tenants.map(({ name, uid }) => `['${name}', ${uid}]`).join(', ')});

sub ask {
  my ($name) = @_;
  my $socket = IO::Socket::INET->new('127.0.0.1:80') or return "cannot connect: $!";
  print $socket "GET / HTTP/1.0\r\nHost: $name.example\r\n\r\n";
  local $/;
  return <$socket> // 'no answer';
}

sub limits {
  my ($uid) = @_;
  return join ' ', map {
    open my $file, '<', "/sys/fs/cgroup/user.slice/user-$uid.slice/$_" or return "no $_";
    my $line = <$file> // 'nothing';
    chomp $line;
    "$_ $line";
  } qw(memory.max cpu.max);
}

if (@ARGV) {
  print ask($ARGV[0]);
  exit;
}

mkdir '/run/load';
unlink '/run/load/stop', '/run/load/report';
my %first = map { $_->[1] => limits($_->[1]) } @tenants;
my ($served, @wrong) = (0);
until (-e '/run/load/stop') {
  for (@tenants) {
    my ($name, $uid) = @$_;
    my $answer = ask($name);
    if ($answer =~ m{^HTTP/1\.1 200.*\r\n\r\n$uid 0::/\S*user-$uid\.slice}s) { $served++ }
    else { push @wrong, "$name: $answer" }
    my $limits = limits($uid);
    push @wrong, "$name: $limits instead of $first{$uid}" if $limits ne $first{$uid};
  }
  splice @wrong, 20;
  open my $file, '>', '/run/load/report.new' or die;
  my $wrong = join ',', map { s/[^ -!#-\[\]-~]/./gr =~ s/(.*)/"$1"/r } @wrong;
  print $file qq({"served":$served,"wrong":[$wrong]}\n);
  close $file;
  rename '/run/load/report.new', '/run/load/report';
}
`;

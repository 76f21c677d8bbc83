/**
 * Attacks are Perl programs, since every Debian has Perl (perl-base). It has system calls, forks cheaply, and has one
 * thread, which unshare(2) needs to make a user namespace. Words that a program needs come as arguments.
 */
import type { Cause } from '../../../packages/base/problem.ts';
import type { Stage, Start } from '../core/attack.ts';

export const perlPath = '/usr/bin/perl';

/** System call numbers by architecture. Source: asm/unistd_64.h, asm-generic/unistd.h. */
const numbers: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  x64: {
    ptrace: 101,
    syslog: 103,
    sched_setscheduler: 144,
    prctl: 157,
    mount: 165,
    init_module: 175,
    add_key: 248,
    io_setup: 206,
    mknodat: 259,
    unshare: 272,
    perf_event_open: 298,
    prlimit64: 302,
    bpf: 321,
    userfaultfd: 323,
    exit_group: 231,
  },
  arm64: {
    ptrace: 117,
    syslog: 116,
    sched_setscheduler: 119,
    prctl: 167,
    mount: 40,
    init_module: 105,
    add_key: 217,
    io_setup: 0,
    mknodat: 33,
    unshare: 97,
    perf_event_open: 241,
    prlimit64: 261,
    bpf: 280,
    userfaultfd: 282,
    exit_group: 94,
  },
};
const everywhere = { io_uring_setup: 425, fsopen: 430, clone3: 435 };

/** Whether system calls can be made by number on this processor. */
export const hasNumbers = ({ architecture }: Stage): boolean => numbers[architecture] !== undefined;

export const noNumbers = (stage: Stage): Cause | undefined =>
  hasNumbers(stage) ? undefined : { reason: `system calls of ${stage.architecture} are not known` };

/**
 * The start of every program: functions that report the result, and that make a user namespace. A host may allow none
 * (EPERM, EACCES) or no more (ENOSPC, EUSERS).
 */
const prelude = String.raw`
use strict; use warnings; use Errno; $| = 1;
sub name { my ($n) = sort grep { $!{$_} } keys %!; return $n // 'UNKNOWN' }
sub report { my $text = join ' ', @_; $text =~ s/[^ -~]+/ /g; print "$text\n"; }
sub through { report('through', @_); exit 0 }
sub refused { my $e = name(); report('refused', $e, @_); exit 0 }
sub cannot { report('cannot', @_); exit 0 }
sub failed { my $e = name(); cannot(@_, $e) }
sub namespace {
  my ($flags) = @_;
  if (syscall($nr{unshare}, $flags) != 0) {
    my $e = name();
    if (grep { $e eq $_ } qw(EPERM EACCES ENOSPC EUSERS)) { report('refused EPERM user namespace:', $e); exit }
    cannot('make a user namespace:', $e);
  }
}
`;

/** Returns a program, made for this processor; `args` become its `@ARGV`. */
export function perl(
  source: string,
  stage: Stage,
  args: readonly (string | number)[] = [],
): Start['program'] {
  const known = Object.entries({ ...everywhere, ...numbers[stage.architecture] });
  const table = known.map(([name, number]) => `${name}=>${number}`).join(',');
  return [perlPath, '-e', `my %nr = (${table});${prelude}${source}`, '--', ...args.map(String)];
}

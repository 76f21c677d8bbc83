/** Attacks on the kernel itself: modules, its log, system calls with a history of holes. */
import type { Attack } from '../core/attack.ts';
import { noNumbers, perl } from './perl.ts';

/**
 * Loads a file that is not a module: a process that may load modules gets ENOEXEC, others get EPERM before the kernel
 * reads it.
 */
const load = String.raw`
my ($image, $none) = ("\x7fELF", '');
through('loaded') if syscall($nr{init_module}, $image, 4, $none) == 0;
my $e = name();
through('may load modules: the kernel has read it and says', $e) if $e eq 'ENOEXEC';
cannot('load any: this kernel has no modules') if $e eq 'ENOSYS';
print "refused $e init_module\n";`;

export const loadModule: Attack = {
  name: 'module',
  summary: 'load a kernel module',
  demandedBy: 'separation',
  remedy: 'nothing has to: the kernel asks for CAP_SYS_MODULE',
  obstacle: noNumbers,
  start: (stage) => ({ program: perl(load, stage) }),
};

export const autoloadModule: Attack = {
  name: 'module-autoload',
  summary: 'have the kernel load a module of a rare protocol, by opening a socket',
  demandedBy: 'jail',
  remedy: '"bulkhead modules deny NAME" for protocols that nobody needs',
  obstacle: () => ({
    reason: 'it would load a module into the running kernel, and leave it there',
  }),
  start: (stage) => ({ program: perl('cannot("not tried")', stage) }),
};

/** SYSLOG_ACTION_READ_ALL. */
const log = String.raw`
my $buffer = "\0" x 256;
syscall($nr{syslog}, 3, $buffer, 256) >= 0 or refused('syslog');
through('read it');`;

export const kernelLog: Attack = {
  name: 'kernel-log',
  summary: "read the kernel's log, which has addresses and other tenants' programs",
  demandedBy: 'jail',
  remedy: 'sysctl kernel.dmesg_restrict=1',
  obstacle: noNumbers,
  start: (stage) => ({ program: perl(log, stage) }),
};

/** A map of bpf(2); a ring of two entries; an event of the processor's clock; a key in the session's keyring. */
const calls = String.raw`
my @open;
my $attribute = pack('L4', 2, 4, 4, 1) . "\0" x 112;
push @open, 'bpf' if syscall($nr{bpf}, 0, $attribute, 64) >= 0;
my $ring = "\0" x 120;
push @open, 'io_uring' if syscall($nr{io_uring_setup}, 2, $ring) >= 0;
push @open, 'userfaultfd' if syscall($nr{userfaultfd}, 0) >= 0;
my $event = pack('L2', 1, 112) . "\0" x 104;
push @open, 'perf_event_open' if syscall($nr{perf_event_open}, $event, 0, -1, -1, 0) >= 0;
my ($type, $name, $data) = ('user', 'bulkhead-prove', 'x');
push @open, 'keyrings' if syscall($nr{add_key}, $type, $name, $data, 1, -1) >= 0;
through('can use', @open) if @open;
print "refused EPERM all five\n";`;

export const kernelCalls: Attack = {
  name: 'kernel-calls',
  summary: 'system calls in which many holes were found (bpf, io_uring, userfaultfd, perf, keys)',
  demandedBy: 'jail',
  remedy:
    'sysctl kernel.io_uring_disabled=2, kernel.unprivileged_bpf_disabled=2, kernel.perf_event_paranoid=3',
  obstacle: noNumbers,
  start: (stage) => ({ program: perl(calls, stage) }),
};

/**
 * A 64-bit program that makes the 32-bit system call (int 0x80) to exit with 42, and exits with 41 if it returns: `mov
 * eax,1; mov ebx,42; int 0x80; mov eax,60; mov edi,41; syscall`, after the two headers of an ELF file.
 */
const old = String.raw`
my $code = "\xb8\x01\0\0\0\xbb\x2a\0\0\0\xcd\x80\xb8\x3c\0\0\0\xbf\x29\0\0\0\x0f\x05";
my $size = 120 + length $code;
my $elf = pack('a4 C5 x7 S2 L Q3 L S6', "\x7fELF", 2, 1, 1, 0, 0, 2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
  . pack('L2 Q6', 1, 5, 0, 0x400000, 0x400000, $size, $size, 4096) . $code;
my $path = "$ARGV[0]/calls";
open my $file, '>', $path or failed('create a program:');
syswrite $file, $elf;
close $file;
chmod 0700, $path;
system { $path } $path;
my ($status, $signal) = ($? >> 8, $? & 127);
unlink $path;
through('they work') if $? == 42 << 8;
print "refused ENOSYS int 0x80\n" and exit if $status == 41 or $signal == 11 or $signal == 31;
cannot("run a program: status $status, signal $signal");`;

export const oldCalls: Attack = {
  name: 'calls-32bit',
  summary: 'system calls of 32 bits, which a seccomp filter for 64 bits does not see',
  demandedBy: 'jail',
  remedy: 'boot with ia32_emulation=0 (Linux 6.7 and newer)',
  refusals: ['ENOSYS'],
  obstacle: ({ architecture }) =>
    architecture === 'x64' ? undefined : { reason: 'only x86-64 has them in a program of 64 bits' },
  start: (stage) => ({ program: perl(old, stage, [stage.homes.attacker]) }),
};

/** Attacks on other tenants' files and processes. */
import type { Attack, Stage } from '../core/attack.ts';
import { noNumbers, perl } from './perl.ts';

const readFile = String.raw`
open my $file, '<', $ARGV[0] or refused('open');
read $file, my $text, 64;
failed('read:') unless defined $text and length $text;
$text =~ tr/\0/ /;
through('read', $text);`;

const reading = (path: (stage: Stage) => string) => (stage: Stage) => ({
  program: perl(readFile, stage, [path(stage)]),
});

export const neighbourHome: Attack = {
  name: 'home',
  summary: "read a file in another tenant's home",
  demandedBy: 'separation',
  remedy: 'chmod 700 on home directories (HOME_MODE 0700 in /etc/login.defs)',
  start: reading(({ homes }) => `${homes.neighbour}/secret`),
  control: { by: 'neighbour', start: reading(({ homes }) => `${homes.neighbour}/secret`) },
};

const listHomes = String.raw`
my (@seen, $refused);
for (@ARGV) {
  if (opendir my $directory, $_) { push @seen, $_ }
  elsif (name() ne 'ENOENT') { $refused = $! }
}
through('can list', scalar(@seen), 'of', scalar(@ARGV) . ':', @seen[0 .. ($#seen > 2 ? 2 : $#seen)]) if @seen;
$! = $refused // 2;
refused(scalar @ARGV, 'homes');`;

export const accountHomes: Attack = {
  name: 'account-homes',
  summary: 'list the homes of the real tenants of this host',
  demandedBy: 'jail',
  remedy: 'chmod 700 (or 711, for a web server) on these homes',
  obstacle: ({ accountHomes }) =>
    accountHomes.length === 0 ? { reason: 'no tenant of the policy has a home' } : undefined,
  start: (stage) => ({ program: perl(listHomes, stage, stage.accountHomes) }),
};

const ofNeighbour = (file: string) => reading(({ neighbour }) => `/proc/${neighbour}/${file}`);

export const seeProcesses: Attack = {
  name: 'processes',
  summary: "see another tenant's processes and command lines",
  demandedBy: 'jail',
  remedy: 'mount /proc with hidepid=invisible',
  // The kernel pretends to those who may not see it that there is none.
  refusals: ['EPERM', 'EACCES', 'ENOENT'],
  start: ofNeighbour('cmdline'),
  control: { by: 'neighbour', start: ofNeighbour('cmdline') },
};

const hiddenToo = ['EPERM', 'EACCES', 'ENOENT'];

export const readEnvironment: Attack = {
  name: 'environment',
  summary: "read the environment of another tenant's process, with its passwords",
  demandedBy: 'separation',
  remedy: 'nothing has to: the kernel asks for the same uid',
  refusals: hiddenToo,
  start: ofNeighbour('environ'),
  control: { by: 'neighbour', start: ofNeighbour('environ') },
};

export const readMaps: Attack = {
  name: 'memory-map',
  summary: "read where another tenant's process has what in its memory",
  demandedBy: 'separation',
  remedy: 'nothing has to: the kernel asks for the same uid',
  refusals: hiddenToo,
  start: ofNeighbour('maps'),
  control: { by: 'neighbour', start: ofNeighbour('maps') },
};

/** PTRACE_ATTACH is 16, and PTRACE_DETACH 17. */
const attach = String.raw`
my $pid = $ARGV[0] || fork // failed('fork:');
if ($pid == 0) { sleep 3600; exit }
if (syscall($nr{ptrace}, 16, $pid, 0, 0) != 0) { my $e = $!; kill 'KILL', $pid unless $ARGV[0]; $! = $e; refused('ptrace') }
waitpid $pid, 0;
syscall($nr{ptrace}, 17, $pid, 0, 0);
kill 'KILL', $pid unless $ARGV[0];
through('attached');`;

export const ptraceOther: Attack = {
  name: 'ptrace',
  summary: "attach to another tenant's process as its debugger",
  demandedBy: 'separation',
  remedy: 'nothing has to: the kernel asks for the same uid',
  obstacle: noNumbers,
  start: (stage) => ({ program: perl(attach, stage, [stage.neighbour]) }),
  control: { by: 'control', start: (stage) => ({ program: perl(attach, stage, [0]) }) },
};

/** Signal 0 asks for the permission and does nothing. */
const signal = String.raw`
kill 0, $ARGV[0] || $$ or refused('kill');
through('may signal it');`;

export const killOther: Attack = {
  name: 'kill',
  summary: "send a signal to another tenant's process",
  demandedBy: 'separation',
  remedy: 'nothing has to: the kernel asks for the same uid',
  start: (stage) => ({ program: perl(signal, stage, [stage.neighbour]) }),
  control: { by: 'control', start: (stage) => ({ program: perl(signal, stage, [0]) }) },
};

const connect = String.raw`
use Socket;
socket my $socket, PF_UNIX, SOCK_STREAM, 0 or failed('make a socket:');
connect $socket, pack('S a*', AF_UNIX, "\0$ARGV[0]") or refused('connect');
through('connected');`;

export const abstractSocket: Attack = {
  name: 'abstract-socket',
  summary: "connect to another tenant's abstract socket, which has no permissions",
  demandedBy: 'jail',
  remedy:
    '<jail> in the policy, where the kernel asks BPF programs or has Landlock as of Linux 6.12; sockets in directories that belong to the tenant',
  start: (stage) => ({ program: perl(connect, stage, [stage.socket]) }),
  control: {
    by: 'neighbour',
    start: (stage) => ({ program: perl(connect, stage, [stage.socket]) }),
  },
};

/** Attacks on pools that all users of the host share. They take only as much as shows that nothing limits them. */
import type { Attack } from '../core/attack.ts';
import { noNumbers, perl } from './perl.ts';

/** A number above a jail's limit, and small next to the 4,096 that a host has by default. */
const terminalsTried = 96;

const openTerminals = String.raw`
my @open;
while (@open < $ARGV[0]) { open(my $one, '+<', '/dev/ptmx') or refused('after', scalar(@open)); push @open, $one }
through("$ARGV[0] terminals");`;

const terminalStart: Attack['start'] = (stage) => ({
  program: perl(openTerminals, stage, [terminalsTried]),
});

export const terminalFlood: Attack = {
  name: 'terminal-flood',
  summary: 'take terminals (/dev/pts), of which the host has one pool',
  demandedBy: 'jail',
  remedy: '<jail> in the policy; "bulkhead harden enable" makes the pool larger',
  refusals: ['ENOSPC'],
  start: terminalStart,
  control: { by: 'control', start: terminalStart },
};

const setUp = String.raw`
my $context = pack 'Q', 0;
syscall($nr{io_setup}, 8, $context) == 0 or refused('io_setup');
through('a context of 8 events');`;

const eventsStart: Attack['start'] = (stage) => ({ program: perl(setUp, stage) });

export const eventFlood: Attack = {
  name: 'aio-flood',
  summary: 'take events of asynchronous I/O (fs.aio-max-nr), which databases need',
  demandedBy: 'jail',
  remedy: '<jail> in the policy; "bulkhead harden enable" makes the pool larger',
  obstacle: noNumbers,
  refusals: ['ENOSYS'],
  start: eventsStart,
  control: { by: 'control', start: eventsStart },
};

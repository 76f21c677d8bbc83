/** The options that name limits, the same for all commands that set some. */
import type { Command } from 'commander';

export const withLimitFlags = (command: Command): Command =>
  command
    .option('--speed <share>', 'CPU: percent of one core, or a clock rate such as 2ghz')
    .option('--cpu <percent>', 'CPU: percent of the whole machine')
    .option('--ncpu <cores>', 'CPU: maximum number of cores')
    .option('--pmem <size>', 'memory: KB, or with K, M or G')
    .option('--io <rate>', 'KB/s, reads and writes together')
    .option('--iops <number>', 'operations a second, reads and writes together')
    .option('--nproc <number>', 'processes and their threads')
    .option('--maxEntryProcs <number>', 'entry processes: requests served at once')
    .option('--ep <number>', 'the same')
    .option('--vmem <size>', 'address space: only 0, the kernel has no such limit')
    .option('--mem <size>', 'the same')
    .option('--unlimited', 'set all limits not given to unlimited');

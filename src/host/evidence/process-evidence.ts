/**
 * What one process has used, from /proc.
 *
 *     4711 (php) S 1 4711 4711 0 -1 4194560 …        /proc/PID/stat; the name may hold anything
 *     read_bytes: 4096                               /proc/PID/io
 *
 * The arguments lie in memory of the process itself: it can be made to hang whoever reads them
 * (a page that its own FUSE server supplies). Its I/O is told under a lock that execve holds, also
 * while it closes files of such a server. So only a process that may hang asks for these two.
 * Source: proc_pid_stat(5), proc_pid_io(5), proc_pid_cmdline(5).
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { ProcessEvidence } from '../../usage/incident.ts';
import { readText } from '../read.ts';
import { printable } from '../../units/printable.ts';

export interface ProcFacts {
  readonly proc: string;
  readonly clockTicks: number;
  readonly pageBytes: number;
  /** Since the host was started. */
  readonly uptimeSeconds: number;
}

export function readProcess(pid: number, facts: ProcFacts): ProcessEvidence | undefined {
  const stat = readText(`${facts.proc}/${pid}/stat`);
  const parsed = stat === undefined ? undefined : parseStat(stat, facts);
  return parsed === undefined ? undefined : { ...parsed, command: `[${parsed.name}]` };
}

export type Details = Partial<Pick<ProcessEvidence, 'command' | 'readBytes' | 'writeBytes'>>;

/** May hang. What cannot be read is absent. */
export function readDetails(proc: string, pid: number): Details {
  const io = readText(`${proc}/${pid}/io`);
  const command = readCommand(proc, pid);
  return {
    ...(command === undefined ? {} : { command }),
    ...(io === undefined
      ? {}
      : { readBytes: ioValue(io, 'read_bytes'), writeBytes: ioValue(io, 'write_bytes') }),
  };
}

export function parseStat(
  text: string,
  { clockTicks, pageBytes, uptimeSeconds }: ProcFacts,
): Omit<ProcessEvidence, 'command' | 'readBytes' | 'writeBytes'> | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open === -1 || close < open) return undefined;
  // The third field of proc_pid_stat(5) is the first here.
  const fields = text.slice(close + 2).split(' ');
  const number = (field: number) => Number(fields[field - 3] ?? 0);
  return {
    pid: Number(text.slice(0, open)),
    name: printable(text.slice(open + 1, close)),
    state: fields[0] ?? '?',
    threads: number(20),
    cpuSeconds: (number(14) + number(15)) / clockTicks,
    memoryBytes: number(24) * pageBytes,
    ageSeconds: Math.max(0, uptimeSeconds - number(22) / clockTicks),
  };
}

const ioValue = (text: string, key: string) =>
  Number(new RegExp(`^${key}: (\\d+)$`, 'm').exec(text)?.[1] ?? 0);

const commandBytes = 4096;

/** Absent where the process has none (it is gone, or wiped them); may hang, see above. */
function readCommand(proc: string, pid: number): string | undefined {
  try {
    const fd = openSync(`${proc}/${pid}/cmdline`, 'r');
    try {
      const buffer = Buffer.alloc(commandBytes);
      return commandText(buffer.subarray(0, readSync(fd, buffer)));
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

export function commandText(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8').replace(/\0+$/, '').replaceAll('\0', ' ').trim();
  return text === '' ? undefined : printable(text);
}

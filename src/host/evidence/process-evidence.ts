/**
 * Identity and usage of one process, from /proc.
 *
 *     Name:	php                                  /proc/PID/status; a line each
 *     4711 (php) S 1 4711 4711 0 -1 4194560 …        /proc/PID/stat; the name may hold anything
 *     read_bytes: 4096                               /proc/PID/io
 *
 * A process can make its reader hang forever. Its arguments are in its own memory; reading them takes a lock that the
 * process has while it unmaps a file of its own FUSE server. `stat` and `io` wait for a lock that execve has, also
 * while it closes files of such a server. `status` takes neither.
 * Source: proc_pid_status(5), proc_pid_stat(5), proc_pid_io(5), proc_pid_cmdline(5).
 */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import type { ProcessEvidence } from '../../usage/incident.ts';
import { statusName, statusState, statusValue } from '../../sys/processes/process-status.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { printable } from '../../../packages/base/printable.ts';

/** Files of /proc/PID that may hang. */
const hangingFiles = ['stat', 'io', 'cmdline', 'maps', 'map_files'] as const;
export type HangingFile = (typeof hangingFiles)[number];

/** Returns `undefined` if there is no such process, or only its exit status is left. */
export function readProcessFacts(proc: string, pid: number): ProcessEvidence | undefined {
  const read = (directory: string) => {
    const text = readText(`${proc}/${directory}/status`);
    return text === undefined ? undefined : parseStatus(text);
  };
  const first = read(`${pid}`);
  if (first?.state !== 'Z') return first && { pid, ...first };
  // The first thread may exit before the others.
  const other = first.threads > 1 ? otherThread(proc, pid) : undefined;
  const rest = other === undefined ? undefined : read(`${pid}/task/${other}`);
  return rest && { pid, ...rest, name: first.name, command: first.command };
}

function otherThread(proc: string, pid: number): string | undefined {
  try {
    return readdirSync(`${proc}/${pid}/task`).findLast((each) => each !== String(pid));
  } catch {
    return undefined;
  }
}

export function parseStatus(text: string): Omit<ProcessEvidence, 'pid'> | undefined {
  const raw = statusName(text);
  const state = statusState(text);
  if (raw === undefined || state === undefined) return undefined;
  const name = printable(raw);
  return {
    name,
    command: `[${name}]`,
    state,
    threads: Number(statusValue(text, 'Threads') ?? 1),
    // Kernel threads have no memory of their own.
    memoryBytes: Number.parseInt(statusValue(text, 'VmRSS') ?? '0', 10) * 1024,
  };
}

interface Clock {
  readonly ticksPerSecond: number;
  /** Seconds since boot. */
  readonly uptimeSeconds: number;
}

type Times = Pick<ProcessEvidence, 'cpuSeconds' | 'ageSeconds'>;

/** Reads times. May hang. */
export function readTimes(proc: string, pid: number, clock: Clock): Times {
  const text = readText(`${proc}/${pid}/stat`);
  return (text === undefined ? undefined : parseStat(text, clock)) ?? {};
}

export function parseStat(
  text: string,
  { ticksPerSecond, uptimeSeconds }: Clock,
): Times | undefined {
  const close = text.lastIndexOf(')');
  if (close === -1) return undefined;
  // The third field of proc_pid_stat(5) is the first here.
  const fields = text.slice(close + 2).split(' ');
  const seconds = (field: number) => Number(fields[field - 3]) / ticksPerSecond;
  const times = {
    cpuSeconds: seconds(14) + seconds(15),
    ageSeconds: Math.max(0, uptimeSeconds - seconds(22)),
  };
  return Object.values(times).every(Number.isFinite) ? times : undefined;
}

export type Traffic = Pick<ProcessEvidence, 'readBytes' | 'writeBytes'>;

/** Reads traffic. May hang. */
export function readTraffic(proc: string, pid: number): Traffic {
  const text = readText(`${proc}/${pid}/io`);
  const value = (key: string) => new RegExp(`^${key}: (\\d+)$`, 'm').exec(text ?? '')?.[1];
  const [read, written] = [value('read_bytes'), value('write_bytes')];
  if (read === undefined || written === undefined) return {};
  return { readBytes: Number(read), writeBytes: Number(written) };
}

const commandBytes = 4096;

/** Reads the arguments. May hang. Empty if the process has none: it is gone, or erased them. */
export function readCommand(proc: string, pid: number): { readonly command?: string } {
  let command: string | undefined;
  try {
    const fd = openSync(`${proc}/${pid}/cmdline`, 'r');
    try {
      const buffer = Buffer.alloc(commandBytes);
      command = commandText(buffer.subarray(0, readSync(fd, buffer)));
    } finally {
      closeSync(fd);
    }
  } catch {
    // The process is gone.
  }
  return command === undefined ? {} : { command };
}

export function commandText(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8').replace(/\0+$/, '').replaceAll('\0', ' ').trim();
  return text === '' ? undefined : printable(text);
}

/**
 * The self-test of the programs: this process is a server for a moment, whose client has the uid of nobody. The CPU time
 * that it takes must be that client's. There are kernels that load such programs and never run them.
 */
import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import { u32le } from '../../../../packages/base/map-entry.ts';
import type { Cause } from '../../../../packages/base/problem.ts';
import { causeOf, formatErrno } from '../../../../packages/base/io/errno.ts';
import type { MapOf } from '../../../sys/bpf/object.ts';
import { processCpuMicroseconds, setThreadUids, writeBytes } from '../../../sys/syscalls.ts';
import {
  acceptSocket,
  bindSocket,
  connectSocket,
  listenSocket,
  openSocket,
  receiveFrom,
} from '../../../sys/sockets/socket-calls.ts';
import { sleepSync } from '../../../sys/sleep.ts';
import { serverEntry, tenantEntry, usedBytes } from '../../core/peers/peer-maps.ts';
import { startTicks } from './server-process.ts';

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0o2000001;
/** Far more than the server of the test takes otherwise. */
const workMicroseconds = 20_000;
/** Leaves a uid as it is. */
const same = 0xffff_ffff;

/** Returns the uid of a test, below those that the kernel reserves. */
const testUid = (): number => 0xfff1_0000 + (Date.now() % 0xffff);

export interface PeersSelfTest {
  readonly entries: ReturnType<typeof entriesFor>;
  readonly run: (mapOf: MapOf) => Cause | undefined;
}

/** `runtime`: the directory in which the server listens; `work`: what it does for its client. */
export function peersSelfTest(runtime: string, work = useTime): PeersSelfTest {
  const uid = testUid();
  return { entries: entriesFor(uid), run: (mapOf) => run({ uid, runtime, work }, mapOf) };
}

interface Test {
  readonly uid: number;
  readonly runtime: string;
  readonly work: () => void;
}

const entriesFor = (uid: number) => [
  tenantEntry(uid),
  serverEntry(
    { pid: process.pid, started: startTicks(process.pid) ?? 0n },
    process.hrtime.bigint(),
  ),
];

function run(test: Test, mapOf: MapOf): Cause | undefined {
  const opened: number[] = [];
  let directory: string;
  try {
    // Nobody else gets into it: this process would wait for a client that says nothing.
    directory = mkdtempSync(`${test.runtime}/peers-test-`);
  } catch (error) {
    return causeOf(error);
  }
  try {
    const problem = serve(test, `${directory}/socket`, opened);
    if (problem !== undefined) return { reason: `it cannot be tried: ${problem}` };
  } finally {
    for (const fd of opened) closeSync(fd);
    rmSync(directory, { recursive: true, force: true });
  }
  const key = u32le(process.pid, test.uid);
  const used = Number(mapOf('used').get(key, usedBytes)?.readBigUInt64LE() ?? 0n) / 1000;
  return used >= workMicroseconds / 2
    ? undefined
    : {
        reason: `the kernel took the programs and does not run them: a client was charged ${Math.round(used)} of ${workMicroseconds} microseconds`,
      };
}

/** Works for a client of this uid. Returns what failed. */
function serve({ uid, work }: Test, path: string, opened: number[]): string | undefined {
  const open = (found: ReturnType<typeof openSocket>): number => {
    if ('error' in found) throw new Error(formatErrno(found.error));
    opened.push(found.fd);
    return found.fd;
  };
  const check = (errno: ReturnType<typeof bindSocket>) => {
    if (errno !== undefined) throw new Error(formatErrno(errno));
  };
  try {
    const listener = open(openSocket(AF_UNIX, SOCK_STREAM_CLOEXEC, 0));
    const client = open(openSocket(AF_UNIX, SOCK_STREAM_CLOEXEC, 0));
    const address = Buffer.concat([Uint8Array.of(AF_UNIX, 0), Buffer.from(`${path}\0`)]);
    check(bindSocket(listener, address));
    check(listenSocket(listener, 1));
    check(setThreadUids(uid, same, same));
    try {
      check(connectSocket(client, address));
    } finally {
      check(setThreadUids(0, same, same));
    }
    const accepted = open(acceptSocket(listener));
    receiveByte(client, accepted);
    work();
    receiveByte(client, accepted);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function receiveByte(from: number, to: number): void {
  const byte = new Uint8Array(1);
  writeBytes(from, byte, 1);
  if (receiveFrom(to, byte, new Uint8Array(128)) !== 1) throw new Error('nothing was received');
}

function useTime(): void {
  const now = () => processCpuMicroseconds(process.pid) ?? 0;
  const end = now() + workMicroseconds;
  while (now() < end);
  // The kernel counts the time when the thread stops.
  sleepSync(1);
}

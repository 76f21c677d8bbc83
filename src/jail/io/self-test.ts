/**
 * The self-test that shows whether the BPF programs refuse. It uses a uid that nobody has and that each generation
 * confines. This thread takes that uid for file access only, and connects to an abstract socket of root. A child takes
 * it completely, and runs a program. Some kernels load such programs and never call them.
 */
import { spawnSync } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Cause, Errno } from '../../../packages/base/problem.ts';
import { neverCalled, selfTestId } from '../../sys/bpf/self-test.ts';
import { setFileUid } from '../../sys/syscalls.ts';
import {
  bindSocket,
  connectSocket,
  openSocket,
  socketAddress,
} from '../../sys/sockets/socket-calls.ts';

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
/** The length of an address: the family, and the bytes of a name that the kernel chooses. Source: unix(7), autobind. */
const addressBytes = 8;

/** Returns the uid of a generation's self-test, far above uids of accounts, and below the kernel's reserved ones. */
export const jailSelfTestUid = (generation: string): number =>
  selfTestId(generation, { first: 0xffe0_0000, count: 0xf_ffff });

/** Returns why the programs cannot be relied on, if they cannot. */
export function jailSelfTestProblem(uid: number): Cause | undefined {
  const sockets: number[] = [];
  try {
    const address = new Uint8Array(addressBytes);
    address[0] = AF_UNIX;
    const listening = open(sockets);
    const problem = bindSocket(listening, address.slice(0, 2)) ?? socketAddress(listening, address);
    if (problem !== undefined) return untried(problem);
    const own = connectSocket(open(sockets), address);
    if (own !== undefined) return { reason: `what should be let pass was refused: ${own}` };
    return judge(connectAs(uid, open(sockets), address)) ?? programProblem(uid);
  } catch (error) {
    return untried((error as Error).message);
  } finally {
    for (const fd of sockets) closeSync(fd);
  }
}

const untried = (why: string): Cause => ({
  reason: `it cannot be tried whether they refuse: ${why}`,
});

function open(sockets: number[]): number {
  const opened = openSocket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if ('error' in opened) throw new Error(opened.error);
  sockets.push(opened.fd);
  return opened.fd;
}

function connectAs(uid: number, fd: number, address: Uint8Array): Errno | undefined {
  setFileUid(uid);
  try {
    return connectSocket(fd, address);
  } finally {
    setFileUid(process.geteuid?.() ?? 0);
  }
}

/**
 * Compares two runs that differ only in the uid. The first shows whether the rest of the host allows the program to
 * start.
 */
function programProblem(uid: number): Cause | undefined {
  const other = runAs(uid + 1);
  if (other !== undefined) return untried(`a program of uid ${uid + 1} does not start: ${other}`);
  return judge(runAs(uid));
}

function runAs(uid: number): Errno | undefined {
  // Node.js expects uids as signed numbers.
  const id = uid | 0;
  const options = { uid: id, gid: id, cwd: '/', stdio: 'ignore' } as const;
  const { error }: { readonly error?: NodeJS.ErrnoException } = spawnSync(
    '/bin/sh',
    ['-c', ':'],
    options,
  );
  return error?.code as Errno | undefined;
}

function judge(refused: Errno | undefined): Cause | undefined {
  if (refused === 'EPERM') return undefined;
  if (refused !== undefined)
    return { reason: `what should be refused failed otherwise: ${refused}` };
  return neverCalled('what should be refused was not');
}

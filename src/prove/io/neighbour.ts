/** The neighbour: a tenant with a process that has a secret in its environment, and an abstract socket. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { entryFile } from '../../sys/package-files.ts';
import { perlPath } from '../attacks/perl.ts';
import type { ProveScratch } from './scratch.ts';

const secret = 'BULKHEAD_PROVE';
const startMilliseconds = 60_000;

/** Ends with its standard input. */
const program = String.raw`
use Socket; $| = 1;
socket my $socket, PF_UNIX, SOCK_STREAM, 0 or die "socket: $!";
bind $socket, pack('S a*', AF_UNIX, "\0$ARGV[0]") or die "bind: $!";
listen $socket, 8 or die "listen: $!";
print "ready\n";
1 while <STDIN>;`;

export interface ProveNeighbour extends Disposable {
  readonly pid: number;
  readonly socket: string;
  readonly runs: () => boolean;
}

export async function startNeighbour({
  paths,
  uids,
  homes,
}: ProveScratch): Promise<Result<ProveNeighbour, Problem>> {
  // A name that nobody can take before.
  const socket = `${paths.instance}-${randomUUID()}`;
  const options = ['--instance', paths.instance, '--chdir', homes.neighbour, '--keep-env', secret];
  const command = [perlPath, '-e', program, '--', socket];
  const child = spawn(
    entryFile('bulkhead-exec'),
    [...options, String(uids.neighbour), '--', ...command],
    { cwd: '/', env: { [secret]: "the neighbour's password" }, detached: true },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(0, 1000)));
  const ready = new Promise<boolean>((resolve) => {
    child.stdout.once('data', () => resolve(true));
    child.once('error', () => resolve(false));
    child.once('exit', () => resolve(false));
    setTimeout(() => resolve(false), startMilliseconds).unref();
  });
  const neighbour = {
    pid: child.pid ?? 0,
    socket,
    runs: () => child.exitCode === null && child.signalCode === null,
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  };
  if (await ready) return ok(neighbour);
  neighbour[Symbol.dispose]();
  const reason = said.trim() === '' ? 'it did not say that it is ready' : said.trim();
  return failed({ action: 'start a process of a scratch tenant', reason });
}

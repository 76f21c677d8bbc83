/**
 * The self-test of the programs: an unplaced process of ours tries to become a uid of nobody's, which each generation
 * refuses. There are kernels that load such programs and never run them.
 */
import { spawnSync } from 'node:child_process';
import type { Cause } from '../../../packages/base/problem.ts';
import { neverCalled, selfTestId } from '../../sys/bpf/self-test.ts';

const milliseconds = 10_000;

/** Returns the uid of a generation's self-test, below those that the kernel reserves. */
export const placementSelfTestUid = (generation: string): number =>
  selfTestId(generation, { first: 0xfff1_0000, count: 0xffff });

/** Runs the self-test; returns the reason if the programs cannot be relied on. */
export function placementSelfTestProblem(uid: number): Cause | undefined {
  const args = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', 'true'];
  const { status, error, stderr } = spawnSync('setpriv', args, {
    cwd: '/',
    encoding: 'utf8',
    timeout: milliseconds,
    env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' },
  });
  if (error !== undefined) return { reason: `it cannot be tried: ${error.message}` };
  if (status === 0) return neverCalled('what should be refused was not');
  if (/not permitted/i.test(stderr)) return undefined;
  return { reason: `what should be refused failed otherwise: ${stderr.trim()}` };
}

/**
 * The common part of guards' self-tests. Some kernels load BPF programs and never call them, so each guard tries
 * something that its programs refuse in every mode.
 */
import type { MapEntry } from '../../../packages/base/map-entry.ts';
import type { Cause } from '../../../packages/base/problem.ts';

export interface SelfTest extends Partial<Disposable> {
  /** The map entries by which the programs refuse what the test tries. */
  readonly entries: readonly MapEntry[];
  /** Runs the test; returns why the programs cannot be relied on. */
  readonly run: () => Cause | undefined;
}

/** Numbers of users or groups that nobody has. */
export interface UnusedIds {
  readonly first: number;
  readonly count: number;
}

/** Returns the number for the self-test of a generation. Each generation has another one, so that older programs do not refuse it. */
export const selfTestId = (generation: string, { first, count }: UnusedIds): number =>
  first + (Number.parseInt(generation, 36) % count);

/** Returns the reason if what the programs should refuse succeeded. */
export const neverCalled = (how: string): Cause => ({
  reason: `the kernel took the programs and does not ask them: ${how}`,
  hint: 'see whether "bpf" is in /sys/kernel/security/lsm',
});

/** Single rules of the module loader as rows of tables. The log lines are from Linux 6.12.118. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LoaderState } from '../../../core/kernel/kernel.ts';
import type { LoaderOptions } from '../../../core/loader/candidate.ts';
import { loaderVerdict, newState } from '../../../core/loader/loader-verdict.ts';
import type { LoaderDefect, SignatureCheck } from '../../../core/record/module.ts';
import type { LoaderVerdict } from '../../../core/loader/verdict.ts';
import {
  kernelFixture,
  moduleFixture,
  signatureFixture,
  type KernelFixture,
  type ModuleFixture,
} from '../fixtures.ts';

export interface Given {
  readonly module?: ModuleFixture;
  readonly kernel?: KernelFixture;
  readonly signature?: SignatureCheck['outcome'];
  readonly state?: LoaderState;
  readonly options?: LoaderOptions;
}

export const verdictOf = ({
  module,
  kernel,
  signature,
  state = newState(),
  options,
}: Given): LoaderVerdict =>
  loaderVerdict(
    { module: moduleFixture(module), signature: signatureFixture(signature) },
    kernelFixture(kernel),
    state,
    options,
  );

export const mask = (letters: string): number =>
  Object.entries({ P: 0, F: 1, C: 10, O: 12, E: 13, K: 15, N: 18 }).reduce(
    (sum, [letter, bit]) => (letters.includes(letter) ? sum + 2 ** bit : sum),
    0,
  );

export const defect = (
  step: LoaderDefect['step'],
  overrides: Partial<LoaderDefect> = {},
): LoaderDefect => ({
  step,
  errno: 'ENOEXEC',
  message: `line of ${step}`,
  why: `why of ${step}`,
  ...overrides,
});

export interface Row extends Given {
  readonly when: string;
  readonly errno?: string;
  readonly taints?: string;
  /** The taints of the kernel, if they differ from the module's. */
  readonly kernelTaints?: string;
  readonly messages: readonly string[];
}

/** Returns the outcome of a rule as a title has it. */
function outcomeOf(errno: string | undefined, taints: string, kernelTaints: string): string {
  if (errno !== undefined) return `returns ${errno}`;
  if (taints !== '') return `taints ${taints}`;
  return kernelTaints === ''
    ? 'returns no error'
    : `taints the kernel ${kernelTaints} and not the module`;
}

/** Tests one rule. */
export function check({
  when,
  errno,
  taints = '',
  kernelTaints = taints,
  messages,
  ...given
}: Row): void {
  test(`${outcomeOf(errno, taints, kernelTaints)} when ${when}`, () => {
    const verdict = verdictOf(given);
    assert.deepEqual(
      {
        errno: verdict.errno,
        result: verdict.result,
        taints: verdict.taints,
        kernelTaint: verdict.kernelTaint,
        messages: verdict.messages,
      },
      {
        errno,
        result: errno === undefined ? 'load' : 'refuse',
        taints,
        kernelTaint: mask(kernelTaints),
        messages,
      },
    );
  });
}

export const licenseLines = (license: string): readonly string[] => [
  `good: module license '${license}' taints kernel.`,
  lockLine,
  'good: module license taints kernel.',
];
export const unsignedLine =
  'good: module verification failed: signature and/or required key missing - tainting kernel';
export const lockLine = 'Disabling lock debugging due to kernel taint';
export const outOfTreeLine = 'good: loading out-of-tree module taints kernel.';

/**
 * A verdict as reports have it: certain taints are separate from taints that a keyring may prevent.
 */
import { loaderErrnos } from '../loader/errno.ts';
import type { LoaderVerdict } from '../loader/verdict.ts';
import type { LoaderReport } from './report.ts';
import { shortened } from './shortened.ts';

export function loaderReport(verdict: LoaderVerdict): LoaderReport {
  const { result, errno, openTaints, kernelTaint, openKernelTaint, messages, unknown } = verdict;
  return {
    result,
    errno: errno === undefined ? null : loaderErrnos[errno],
    errnoName: errno ?? null,
    taints: Array.from(verdict.taints)
      .filter((letter) => !openTaints.includes(letter))
      .join(''),
    taintsUnlessTrusted: openTaints,
    kernelTaint: kernelTaint - openKernelTaint,
    kernelTaintUnlessTrusted: openKernelTaint,
    messages: messages.map(shortened),
    reasons: verdict.reasons.map((each) => shortened(each.reason)),
    unknown,
  };
}

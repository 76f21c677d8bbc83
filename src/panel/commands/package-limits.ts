/** The limits of the panel's packages, for `setup`. */
import { fail, ok } from '../../../packages/base/result.ts';
import type { PackageLimits } from '../../cli/capability.ts';
import { policyLimits } from '../core/policy-limits.ts';
import { readPanel, sourcesOf } from '../io/read-panel.ts';
import { cpapi } from '../io/sources/cpapi.ts';

export const packageLimits: PackageLimits = {
  panel(paths) {
    const [source] = sourcesOf({ paths, root: '' });
    // CPAPI states no limits, and a panel's scripts are not for a look at the host: some change accounts.
    return source === cpapi ? undefined : source?.panel;
  },
  async read(paths) {
    const data = await readPanel({ paths, root: '' });
    if (data === undefined) return fail({ reason: 'the panel is gone' });
    if (data.accounts.length > 0 || data.packages.length > 0) return ok(policyLimits(data));
    const [first] = data.problems;
    return fail({
      reason: `nothing of ${data.panel} could be read${first === undefined ? '' : `: ${first.reason}`}`,
      hint: 'see "bulkhead panel status", or answer "starter" or "medium"',
    });
  },
};

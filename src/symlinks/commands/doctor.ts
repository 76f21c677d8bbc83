/** Reports the symlink guard in `doctor`. */
import { docPage } from '../../sys/package-files.ts';
import type { DoctorReport } from '../../cli/doctor-report.ts';
import { formatCause } from '../../../packages/base/problem.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { lsmProblem } from '../../sys/bpf/lsm.ts';
import { guardView, stateText } from './guard/status.ts';

export function symlinksDoctor({ policy, paths }: EntryPathContext): Promise<DoctorReport> {
  const blocker = lsmProblem(paths);
  const said = (text: string) => Promise.resolve({ label: 'Symlinks', text, remarks: [] });
  if (policy?.symlinks === undefined && blocker !== undefined)
    return said(`no guard: ${formatCause(blocker)}`);
  const view = guardView(policy?.symlinks, paths);
  if (view.state === 'off' && view.wanted === 'off') return said(available);
  return said(`guard ${stateText(view)}${view.problem === undefined ? '' : `; ${view.problem}`}`);
}

const available = `the kernel can refuse links to what their owners do not own, if the policy has <symlinks>; see ${docPage('symlinks')}`;

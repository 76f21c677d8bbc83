/**
 * The loaded modules, each with its file; a module without a file is reported as a problem of the
 * scan.
 */
import { type Problem } from '../../../packages/base/problem.ts';
import type { ScanReport } from '../../../packages/modules/core/reports/report.ts';
import { hostRoots } from '../../../packages/modules/io/kernel/kernel-files.ts';
import {
  readRunningModules,
  type RunningModule,
} from '../../../packages/modules/io/kernel/running.ts';
import { ok, type Result } from '../../../packages/base/result.ts';

export interface RunningInputs {
  readonly paths: readonly string[];
  readonly problems: ScanReport['problems'];
}

export function runningInputs(moduleDirectory: string | undefined): Result<RunningInputs, Problem> {
  const running = readRunningModules({ ...hostRoots, moduleDirectory });
  if (!running.ok) return running;
  const problems = running.value.flatMap((each) => problemOf(each) ?? []);
  return ok({ paths: running.value.flatMap((each) => fileOf(each) ?? []), problems });
}

const fileOf = ({ origin }: RunningModule): string | undefined =>
  origin.kind === 'same build' || origin.kind === 'same name' ? origin.file : undefined;

function problemOf({ name, origin, taints }: RunningModule) {
  const loaded = `is loaded${taints === '' ? '' : ` (taints ${taints})`}`;
  const reason = {
    'same build': undefined,
    'same name': undefined,
    'other build': 'but not from the file of that name: their build ids differ',
    unreadable: `but its file cannot be read: ${'why' in origin ? origin.why : ''}`,
    'no file': 'and the tree of this kernel has no file of that name',
  }[origin.kind];
  if (reason === undefined) return undefined;
  return {
    file: 'file' in origin ? origin.file : name,
    offset: null,
    message: `${loaded}, ${reason}`,
  };
}

/** The boot options of a host with their states: what it has, and what is written for the next boot. */
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import type { BootFacts } from '../../core/boot/facts.ts';
import { judge } from '../../core/boot/options.ts';
import type { BootRecord } from '../../core/boot/record.ts';
import { bootStateOf, type OptionState } from '../../core/boot/state.ts';
import { readBootId, readBootRecord } from './boot-record-file.ts';
import { readBootFacts } from './read-facts.ts';

export interface BootView {
  readonly facts: BootFacts;
  readonly record: BootRecord | undefined;
  readonly states: readonly OptionState[];
}

export function readBootView(paths: Paths): Result<BootView, Problem> {
  const read = readBootRecord(paths);
  return read.ok ? ok(viewWith(paths, read.value)) : read;
}

export function viewWith(paths: Paths, record: BootRecord | undefined): BootView {
  const facts = readBootFacts(paths);
  const bootId = readBootId(paths);
  const states = judge(facts).map((each) => ({
    ...each,
    state: bootStateOf(each, record, bootId),
  }));
  return { facts, record, states };
}

/** Targets and policies for tests of edits. */
import assert from 'node:assert/strict';
import { formatProblemOrCause } from '../../packages/base/problem.ts';
import { parseAssignments } from '../../src/policy/assignment.ts';
import { setLimits, type EditTarget } from '../../src/policy/edit.ts';

export const tenant = (user: string): EditTarget & { kind: 'tenant' | 'reseller' } => ({
  kind: 'tenant',
  name: { kind: 'user', user },
});

export const reseller = (user: string): EditTarget => ({
  kind: 'reseller',
  name: { kind: 'user', user },
});

export const defaults: EditTarget = { kind: 'defaults' };

export const pack = (name: string): EditTarget => ({ kind: 'package', name });

export function assignments(words: string) {
  const parsed = parseAssignments(words.split(' ').filter((word) => word !== ''));
  if (!parsed.ok) assert.fail(parsed.error.map(formatProblemOrCause).join('\n'));
  return parsed.value;
}

export function set(text: string, target: EditTarget, words: string): string {
  const edited = setLimits(text, target, assignments(words));
  if (!edited.ok) assert.fail(edited.error.map(formatProblemOrCause).join('\n'));
  return edited.value;
}

export const lines = (...each: string[]) => each.join('\n') + '\n';

export const policy = (...inside: string[]) =>
  lines('<bulkhead version="1">', ...inside, '</bulkhead>');

/** The frame of suites with a placer: one test that is skipped with the reason where they cannot run. */
import '../../testing/guard/here.ts';
import { test } from 'node:test';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { hostHere } from '../conformance/host-here.ts';

const ready = await ensurePrerequisites('placement', (line) => console.log(`# ${line}`));

/** Defines the tests of a suite, which has an instance of its own. */
export function placerSuite(instance: string, define: (version: 1 | 2) => void): void {
  const here = hostHere(instance);
  if ('skip' in here || !ready.ok) {
    test('placer', { skip: 'skip' in here ? here.skip : !ready.ok && ready.reason }, () => {});
  } else define(here.version);
}

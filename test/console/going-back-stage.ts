/** Changes of the policy that go back by themselves, for tests. */
import { readFileSync } from 'node:fs';
import { packTexts } from '../../src/agent/policy/goes-back/going-back.ts';
import type { GoingBack } from '../../src/agent/policy/goes-back/going-back-file.ts';
import { PolicyChanges } from '../../src/agent/policy/policy-changes.ts';
import { keyOfText } from '../../src/store/changes/change-store.ts';
import type { Stage } from './stage.ts';

export const delegated = `
  <!-- for root's eyes -->
  <defaults><cpu limit="100%"/></defaults>
  <package name="small"><cpu limit="50%"/></package>
  <package name="hidden" for="globex"><cpu limit="60%"/></package>
  <reseller user="acme" may="limits packages">
    <cpu limit="200%"/>
    <tenant user="alice"/>
  </reseller>
  <tenant user="bob"/><tenant user="carol"/>
`;

/** The text before the change of `pendingOf`. */
export const textBefore = (now: string) => now.replace('user="bob"', 'user="bob" package="small"');

/** A change that was announced, and that has the text of now unless another one is given. */
export function pendingOf(
  stage: Stage,
  seconds: number,
  changes: Partial<GoingBack> = {},
): GoingBack {
  const now = readFileSync(stage.policyFile, 'utf8');
  const before = textBefore(now);
  return {
    file: stage.policyFile,
    texts: packTexts(before, now),
    afterKey: keyOfText(now),
    at: Date.now() + seconds * 1000,
    seconds: Math.max(seconds, 60),
    user: 'root',
    uid: 0,
    isWritten: true,
    ...changes,
  };
}

/** Starts what lets changes go back; `lines` get what it logs. */
export function start(stage: Stage, lines: string[]): PolicyChanges {
  const add = (line: unknown) => void lines.push(String(line));
  return new PolicyChanges({
    paths: stage.paths,
    file: stage.policyFile,
    log: { info: add, error: add },
    apply: () => Promise.resolve(),
    state: () => ({ file: '', state: 'in force', stateChangedAt: 0, problems: [] }),
  });
}

/** Buttons and fields of pages that change the policy, and the file that they change. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { recordApplied } from '../../../src/apply/change-record.ts';
import type { Stage } from '../stage.ts';
import type { View } from './browser.ts';

export const press = (view: View, name: string): Promise<void> =>
  view.page.getByRole('button', { name, exact: true }).click();

export const fill = (view: View, label: string, text: string): Promise<void> =>
  view.page.getByLabel(label, { exact: true }).fill(text);

export const textOf = ({ policyFile }: Stage): string => readFileSync(policyFile, 'utf8');

/** Has the policy in force and recorded now, and what is written to it later at once, as the agent that applies it. */
export function follow(stage: Stage): Stage {
  const { paths, policyFile: file } = stage;
  mkdirSync(paths.state, { recursive: true });
  const known = {
    way: 'by hand',
    outcome: 'in force',
    problems: [],
    keepMilliseconds: 1e9,
  } as const;
  assert.ok(recordApplied(paths, { file, text: textOf(stage), ...known }).ok);
  stage.apply = () => {
    stage.follow();
    return Promise.resolve();
  };
  return stage;
}

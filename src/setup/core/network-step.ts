/** The step that watches what tenants connect to: direct mail above all. */
import { ok } from '../../../packages/base/result.ts';
import { hasElement, setElement } from '../../policy/elements/edit-elements.ts';
import type { Step } from './step.ts';

export const defaultReach = [{ name: 'defaults' }, { name: 'reach' }] as const;

export const networkStep: Step = {
  key: 'network',
  level: 'isolate',
  startsOpen: true,
  title: "Report direct mail, and connections to metadata services and other tenants' ports",
  changes: ({ file }) =>
    `adds <reach mode="watch"/> to <defaults> in ${file}; loads BPF programs that only report`,
  customers: 'nothing',
  obstacle: ({ look }) =>
    look.hasSystemd ? undefined : 'systemd is not the init of this host, and starts no agent',
  // An element of the administrator's stays.
  edit: (text) =>
    hasElement(text, defaultReach) ? ok(text) : setElement(text, defaultReach, { mode: 'watch' }),
  // The agent puts the rules in force, after it has read the policy.
  commands: ({ policy }) => [['network', 'status', '--wait', ...policy]],
  undo: () => [],
  layers: ['network reach'],
};

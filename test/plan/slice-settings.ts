/** Slices as the policy wants them, for tests. */
import { setting } from '../../src/limits/limit.ts';
import type { WantedCgroup } from '../../src/plan/wanted.ts';

export const tasks = (count: number) => `[Slice]\nTasksMax=${count}\n`;

export function slice(uid: number, count: number): WantedCgroup {
  return {
    path: `u${uid}`,
    kind: 'tenant',
    label: `tenant ${uid}`,
    settings: [setting('processes.limit', 'pids', 'pids.max', String(count), 'max')],
    unit: { unit: `user-${uid}.slice`, path: `/etc/${uid}.conf`, text: tasks(count) },
  };
}

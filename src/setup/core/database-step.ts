/** The step that prepares limits on databases, on a host where a MariaDB server runs. */
import { count, listSome } from '../../../packages/base/list.ts';
import type { Step } from './step.ts';

export const databaseStep: Step = {
  key: 'databases',
  level: 'limit',
  title: 'Give Bulkhead the rights in MariaDB servers that limits on databases need',
  changes: ({ look }) =>
    `makes the system user bulkhead-db; makes two accounts and a schema in the ${count(look.databaseSockets.length, 'server')} at ${listSome(look.databaseSockets)}`,
  customers: 'nothing, until the policy has limits for them',
  obstacle: ({ look }) =>
    look.databases.includes('MariaDB') && look.databaseSockets.length > 0
      ? undefined
      : 'no MariaDB server runs here',
  commands: () => [['db', 'enable']],
  undo: () => [['db', 'disable']],
  layers: ['database servers'],
};

/** The step that prepares limits on databases, on a host where a database server runs. */
import { count, listSome } from '../../../packages/base/list.ts';
import type { Step } from './step.ts';

const supported: ReadonlySet<string> = new Set(['MariaDB', 'MySQL', 'PostgreSQL']);

export const databaseStep: Step = {
  key: 'databases',
  level: 'limit',
  title: 'Give Bulkhead the rights in database servers that limits on databases need',
  changes: ({ look }) =>
    `makes the system user bulkhead-db; makes accounts and a schema in the ${count(look.databaseSockets.length, 'server')} at ${listSome(look.databaseSockets)}`,
  customers: 'nothing, until the policy has limits for them',
  obstacle: ({ look }) =>
    look.databases.some((each) => supported.has(each)) && look.databaseSockets.length > 0
      ? undefined
      : 'no server of MariaDB, MySQL or PostgreSQL runs here',
  commands: () => [['db', 'enable']],
  undo: () => [['db', 'disable']],
  layers: ['database servers'],
};

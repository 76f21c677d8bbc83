/** Has `bulkhead web sync` ask the web servers, outside the agent. */
import { restoreElsewhere } from '../../../host/restore-elsewhere.ts';

export const syncElsewhere = restoreElsewhere({
  unit: 'bulkhead-sites.service',
  command: ['web', 'sync'],
  action: 'ask web servers for their sites',
});

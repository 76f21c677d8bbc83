/** All kinds of incidents that tenants have at their limits on database servers. */
import type { IncidentKind } from '../../../usage/incident-kind.ts';
import { databaseCpuIncidents } from '../cpu-incidents.ts';
import { sessionIncidents } from './session-incidents.ts';

export const databaseIncidents: readonly IncidentKind[] = [
  databaseCpuIncidents,
  ...sessionIncidents,
];

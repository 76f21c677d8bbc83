/** The remedy for a tenant that starts processes faster than anybody can end them. */
import type { IncidentKind } from '../../usage/incident-kind.ts';

/** The number of refused forks that a program does not reach in a minute if it waits before each retry. */
const bombFaults = 100;

export const stopAdvice: IncidentKind = {
  limit: 'processes.limit',
  advice: ({ faults }, tenant) =>
    faults < bombFaults
      ? ''
      : `If it is a fork bomb, which starts processes faster than they can be ended, "bulkhead stop ${tenant}" ends all of them and keeps the account out.`,
};

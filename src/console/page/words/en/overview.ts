import { numbersOf } from '../numbers.ts';

const { count, number } = numbersOf('en');

export const overview = {
  allEnforced: 'All limits are enforced.',
  notAllEnforced: 'Not everything is enforced.',
  starting: (percent: number | undefined) =>
    percent === undefined ? 'The agent is starting.' : `The agent is starting: ${percent} %.`,
  state: (tenants: number, since: string) =>
    `${count(tenants, { one: 'tenant', other: 'tenants' })}, policy in force since ${since}.`,
  outside: (value: number) =>
    `${count(value, { one: 'process is', other: 'processes are' })} outside its cgroup.`,
  noneOutside: 'No process is outside its cgroup.',
  drift: (value: number, time: string) =>
    value === 0
      ? `No drift (${time}).`
      : `${count(value, { one: 'difference', other: 'differences' })} from the policy (${time}). Run bulkhead apply.`,
  driftUnknown: 'Drift: not checked yet.',
  cpu: 'CPU of all tenants',
  memory: 'Memory of all tenants',
  ownCpu: 'CPU of your tenants',
  ownMemory: 'Memory of your tenants',
  promised: (times: number, unlimited: number) =>
    unlimited === 0
      ? `promised ${number(times, 1)} times`
      : `promised ${number(times, 1)} times, ${number(unlimited)} without a limit`,
  atLimit: 'At a limit now',
  nearLimit: (value: number) => `${number(value)} more above 90 %`,
  incidents: 'Incidents, 24 h',
  latest: (name: string, limit: string, time: string) => `latest: ${name}, ${limit}, ${time}`,
  noIncidents: 'none',
  ended: (value: number) => `${number(value)} ended`,
  refused: (value: number) => `${number(value)} refused`,
  slowed: (value: number) => `${number(value)} slowed`,
  nobodyAtLimit: 'No tenant reached a limit in the last minute.',
  worst: 'Worst of the last 24 hours',
  nothingHappened: 'No limit was hit in the last 24 hours.',
  allTenants: 'All tenants by use',
  allIncidents: 'All incidents',
  changes: 'Last changes of the policy',
  allChanges: 'All changes',
  byHand: 'in an editor',
};

import { numbersOf } from '../numbers.ts';

const { count } = numbersOf('en');

export const tenants = {
  columns: {
    tenant: 'Tenant',
    cpu: 'CPU',
    memory: 'Memory',
    disk: 'Disk',
    processes: 'Processes',
    course: 'CPU, recent',
    limits: 'At its limit',
  },
  filter: 'Filter',
  search: 'Name, reseller or package',
  all: 'All',
  atLimit: 'At a limit',
  near: 'Above 90 %',
  active: 'Active',
  group: 'Group',
  ungrouped: 'none',
  byReseller: 'by reseller',
  noReseller: 'without a reseller',
  atItsLimit: (limits: string) => `at limit: ${limits}`,
  none: 'No tenant is shown',
  noneHint: 'No tenant matches the filter.',
  showAll: 'Show all tenants',
  empty: 'There are no tenants yet',
  emptyHint: 'The policy names who is a tenant. This command adds one:',
  recentFaults: (value: number) => `${count(value, { one: 'fault', other: 'faults' })} in 5 min`,
};

import { numbersOf } from '../numbers.ts';

const { count } = numbersOf('en');
const times = (value: number) => (value === 1 ? 'once' : count(value, { other: 'times' }));

export const incident = {
  title: (id: string) => `Incident ${id}`,
  /** All tenants of a reseller. */
  allOf: (name: string) => `the tenants of ${name} together`,
  be: (isSum: boolean) => (isSum ? 'were' : 'was'),
  happened: {
    throttled: (who: string, be: string, faults: number, limit: string) =>
      `${who} ${be} slowed down ${times(faults)} at the limit for ${limit}`,
    refused: (who: string, be: string, faults: number, limit: string) =>
      `${who} ${be} refused ${times(faults)} at the limit for ${limit}`,
    killed: (who: string, _be: string, _faults: number, limit: string) =>
      `${who} reached the limit for ${limit}, and programs were ended`,
    observed: (who: string, _be: string, faults: number, limit: string) =>
      `${who} used more than the limit for ${limit}, which is only observed, ${times(faults)}`,
  },
  /** Incidents of rules, such as refusals by a jail. */
  other: {
    refused: (who: string, faults: number, what: string) =>
      `${who} was refused ${times(faults)}: ${what}`,
    killed: (who: string, _faults: number, what: string) => `${who} had programs ended: ${what}`,
    observed: (who: string, faults: number, what: string) =>
      `${who} would have been refused ${times(faults)}, but the policy only watches: ${what}`,
  },
  on: (moment: string) => `on ${moment}`,
  during: (day: string, from: string, to: string) => `on ${day} between ${from} and ${to}`,
  between: (from: string, to: string) => `between ${from} and ${to}`,
  sentence: (what: string, when: string) => `${what} ${when}.`,
  limitWas: (value: string) => `The limit was ${value}.`,
  limitWasFrom: (value: string, from: string) => `The limit was ${value}, written in ${from}.`,
  shared: (servers: string, programs: string) =>
    `Database work counts toward it, too: it had ${servers} of the limit on average, and programs were left ${programs}.`,
  inferred: 'The kernel does not count this: it is inferred from use at the limit.',
  effects: {
    throttled: 'Pages and scripts took longer; nothing failed.',
    refused: 'Visitors may have seen an error; what was running went on.',
    killed: 'Visitors may have seen an error, and a job that was running may be incomplete.',
    observed: 'Nothing was held back.',
  },
  processesRefused:
    'New processes could not be started: visitors may have seen an error. What was running went on.',
  heaviest: 'What used most',
  amounts: {
    cpu: (amount: string) => `${amount} of CPU time`,
    memory: (amount: string) => amount,
    read: (amount: string) => `${amount} read`,
    write: (amount: string) => `${amount} written`,
    disk: (amount: string) => `${amount} read and written`,
    processes: (amount: string) => `${amount} threads`,
    other: (amount: string) => amount,
  },
  processes: (value: number) => count(value, { one: 'process', other: 'processes' }),
  noUsers: 'None of the recorded processes stands out, or none was recorded.',
  ended: 'Ended',
  endedOne: (name: string, pid: number) => `${name} (process ${pid})`,
  endedWith: (name: string, pid: number, memory: string) =>
    `${name} (process ${pid}), which used ${memory}`,
  served: 'What PHP was serving',
  seen: (value: number) => `seen ${times(value)}`,
  longest: (time: string) => `up to ${time}`,
  turnedAway: 'What was refused',
  site: 'Site',
  request: 'Request',
  script: 'Script',
  client: 'From',
  whatToDo: 'What to do',
  advice: {
    cpu: 'Look first at what used the most: a script in a loop, a page that could be cached, a crawler that sends too many requests, a job that could run at night.',
    memory:
      'Fewer processes at once need less memory (pm.max_children of php-fpm, the workers of the application), and so do processes that may use less each (memory_limit of PHP).',
    read: 'Look for backups, scripts that search all files, and database queries without an index.',
    write:
      'Look for verbose logs, backups, and caches or sessions on disk that each request rewrites.',
    disk: 'Look for backups, scripts that search all files, and database queries without an index.',
    processes:
      'Look for jobs that pile up because each starts before the one before has finished, and for workers that never exit.',
    other: '',
  },
  raise: 'If it needs more, raise the limit:',
  askForMore: (value: string) =>
    `If it needs more, ask the administrator of this server for a higher limit, for example ${value}.`,
  looks: 'Snapshots of the processes',
  looksHint: (amount: string) => `${amount}; ← → or click`,
  look: (time: string) => `Snapshot of ${time}`,
  noLooks: 'No snapshot of the processes was kept.',
  lookLine: (cpu: string, memory: string, processes: string) =>
    `${cpu} CPU · ${memory} · ${processes}`,
  columns: {
    pid: 'pid',
    program: 'Program',
    command: 'Command',
    cpu: 'CPU since before',
    memory: 'Memory',
    read: 'Read',
    age: 'Age',
  },
  shownOf: (shown: string, all: string) => `${shown} of ${all} processes`,
  inFull: 'The explanation in full, in English',
  copyText: 'Copy text',
  asPage: 'Open as a page',
  openTenant: (name: string) => `All of ${name}`,
};

/** The steps of a setup, in their order. */
import { distributionUnit } from '../../layouts/layouts.ts';
import { count } from '../../../packages/base/list.ts';
import { ok } from '../../../packages/base/result.ts';
import {
  hasElement,
  setElement,
  setForTenants,
  type Attributes,
  type ElementName,
} from '../../policy/elements/edit-elements.ts';
import { entriesChanges, entriesLimit, setDefaults } from './limit-edits.ts';
import { databaseStep } from './database-step.ts';
import { limitSteps } from './limit-steps.ts';
import { networkStep } from './network-step.ts';
import { alertsReport, proveReport } from './reports.ts';
import type { Step, StepContext } from './step.ts';

const nothing = () => [];
const needsSystemd = ({ look }: StepContext) =>
  look.hasSystemd ? undefined : 'systemd is not the init of this host';

/** The users as which web servers read files, on the distributions that we know. */
const webUsers = 'www-data';

export const steps: readonly Step[] = [
  {
    key: 'policy',
    level: 'observe',
    title: 'Name the tenants in a policy and apply it',
    changes: ({ file, text }) =>
      `${text === undefined ? 'writes' : 'keeps'} ${file}; makes a cgroup for each tenant`,
    customers: 'nothing',
    edit: (text) => ok(text),
    commands: nothing,
    undo: nothing,
    layers: ['policy'],
  },
  {
    key: 'alerts',
    level: 'observe',
    title: 'Send alerts to the administrator',
    changes: ({ answers, file, text = '' }) =>
      hasElement(text, alertsPath)
        ? `keeps the alerts of ${file}`
        : `adds <alerts> to ${file}: mail to ${answers.alerts}`,
    customers: 'nothing',
    obstacle: ({ answers }) => (answers.alerts === 'none' ? 'you want no alerts' : undefined),
    edit: (text, { answers }) => setUnlessThere(text, alertsPath, { address: answers.alerts }),
    commands: nothing,
    undo: nothing,
    layers: [],
  },
  {
    key: 'units',
    level: 'observe',
    title: 'Start the agent, now and at boot',
    changes: 'installs units in /etc/systemd/system',
    customers: 'nothing',
    obstacle: needsSystemd,
    commands: ({ policy }) => [['units', 'enable', ...policy]],
    undo: () => [['units', 'disable']],
    layers: ['agent'],
  },
  {
    key: 'alerts-test',
    level: 'observe',
    title: 'Send a test alert',
    changes: 'nothing',
    customers: 'nothing',
    obstacle: (context) =>
      context.answers.alerts === 'none' ? 'you want no alerts' : needsSystemd(context),
    commands: nothing,
    undo: nothing,
    layers: [],
    report: alertsReport,
  },
  {
    key: 'console',
    level: 'observe',
    title: 'Serve the console to browsers that reach its unix socket',
    changes: 'enables bulkhead-console.socket; nothing listens on the network',
    customers: 'nothing',
    obstacle: (context) =>
      needsSystemd(context) ??
      (context.look.hasConsole ? undefined : 'only the packages make its account'),
    commands: ({ policy }) => [['console', 'enable', ...policy]],
    undo: () => [['console', 'disable']],
    layers: [],
  },
  ...limitSteps,
  {
    key: 'pam',
    level: 'limit',
    title: 'Place logins, cron and at jobs before their first instruction',
    changes: 'adds lines to the files of ssh, su, cron and at in /etc/pam.d',
    customers: 'nothing; open sessions stay as they are',
    commands: () => [['pam', 'enable']],
    undo: () => [['pam', 'disable']],
    layers: ['entry ssh', 'entry su', 'entry cron', 'entry at'],
  },
  {
    key: 'php-first',
    level: 'limit',
    title: "Serve the first tenant's PHP from a service of its own, and try a request",
    changes: ({ canary = '' }) => `moves the pools of ${canary} to units; reloads PHP-FPM`,
    customers: 'nothing; an idle service starts at the first request',
    obstacle: (context) => phpObstacle(context) ?? firstObstacle(context),
    commands: ({ canary = '', policy }) => [['web', 'fpm', 'enable', canary, ...policy]],
    undo: ({ canary = '', policy }) => [['web', 'fpm', 'disable', canary, ...policy]],
    layers: [],
    asksSites: true,
    isForOne: true,
  },
  {
    key: 'php',
    level: 'limit',
    needs: 'php-first',
    title: "Serve every tenant's PHP from a service of its own",
    changes: 'moves their pools to units; reloads PHP-FPM',
    customers: 'nothing; an idle service starts at the first request',
    obstacle: phpObstacle,
    commands: ({ policy }) => [['web', 'fpm', 'enable', '--all', ...policy]],
    undo: ({ policy }) => [['web', 'fpm', 'disable', '--all', ...policy]],
    // Sites that the distribution's own pool serves are no failure.
    layers: [],
    asksSites: true,
  },
  {
    key: 'entries',
    level: 'limit',
    needs: 'limits',
    title: 'Limit how many requests of a tenant are served at once',
    changes: entriesChanges,
    customers: 'visitors of a site at its limit see the 508 page',
    obstacle: ({ answers, look }) => {
      if (answers.entries === 'none') return 'you want no such limit';
      if (look.webServers.some(({ isServed }) => isServed)) return undefined;
      const own = look.webServers.find(({ isRead }) => isRead);
      const none = 'no nginx and no Apache that it can serve';
      return own === undefined
        ? none
        : `${none}; ${own.name} has limits of its own, see "bulkhead web status"`;
    },
    edit: (text, { answers }) => setDefaults(text, entriesLimit(answers)),
    commands: ({ policy }) => [['web', 'entries', 'enable', ...policy]],
    undo: ({ policy }) => [['web', 'entries', 'disable', ...policy]],
    layers: ['limit entries'],
    asksSites: true,
  },
  {
    key: 'harden',
    level: 'limit',
    title: 'Set kernel settings that break next to nothing',
    changes: 'writes a file in /etc/sysctl.d',
    customers: 'nothing',
    commands: () => [['harden', 'enable', '--yes']],
    undo: () => [['harden', 'disable', '--yes']],
    layers: ['kernel settings'],
  },
  databaseStep,
  {
    key: 'jail-first',
    level: 'isolate',
    title: 'Put the first tenant into a jail',
    changes: (context) =>
      `adds <jail profile="web"/> for ${firstJailed(context)?.user ?? 'nobody'} to ${context.file}`,
    customers: 'it sees its own home and processes, and no other tenants',
    // If only new tenants get one, there is nobody to try it on.
    obstacle: (context) => jailsObstacle(context) ?? firstObstacle(context),
    edit: (text, context) => {
      const first = firstJailed(context);
      const tenants = first === undefined ? [] : [first];
      return setForTenants(text, tenants, { name: 'jail' }, ['profile', 'web']);
    },
    commands: nothing,
    reloads: phpUnits,
    undo: nothing,
    layers: ['jails'],
    asksSites: true,
    isForOne: true,
  },
  {
    key: 'jails',
    level: 'isolate',
    needs: 'jail-first',
    runsOnce: true,
    title: 'Put every tenant into a jail',
    changes: ({ file }) =>
      `adds <jail profile="web"/> to <defaults> in ${file}; logins and PHP enter the jail`,
    customers: 'they see their own home and processes, and no other tenants',
    obstacle: jailsObstacle,
    edit: (text) => setUnlessThere(text, defaultJail, { profile: 'web' }),
    commands: () => [['pam', 'enable']],
    reloads: phpUnits,
    undo: nothing,
    layers: ['jails'],
    asksSites: true,
  },
  {
    key: 'jails-new',
    level: 'isolate',
    title: 'Put tenants that are added later into jails',
    changes: ({ file, unjailed }) =>
      `adds <jail profile="web"/> to <defaults> in ${file}, and exempts ${count(unjailed.length, 'tenant')} of today`,
    customers: 'nothing for those of today',
    obstacle: ({ answers }) => (answers.jails === 'new' ? undefined : noJails[answers.jails]),
    edit: (text, { unjailed }) => {
      if (hasElement(text, defaultJail)) return ok(text);
      const exempt = setForTenants(text, unjailed, { name: 'jail' }, ['profile', 'none']);
      return exempt.ok ? setElement(exempt.value, defaultJail, { profile: 'web' }) : exempt;
    },
    commands: () => [['pam', 'enable']],
    undo: nothing,
    // Nobody has a jail before a tenant is added.
    layers: [],
  },
  {
    key: 'symlinks',
    level: 'isolate',
    startsOpen: true,
    title: "Report symbolic links by which a web server would read another owner's file",
    changes: ({ file }) => `adds <symlinks> to ${file}; loads a BPF program that only reports`,
    customers: 'nothing',
    edit: (text) =>
      setUnlessThere(text, [{ name: 'symlinks' }], { follow: 'owner-match', by: webUsers }),
    // Without a choice, the guard is on as soon as the policy has it.
    before: ({ policy }) => [['symlinks', 'guard', 'disable', ...policy]],
    commands: ({ policy }) => [['symlinks', 'guard', 'enable', '--watch', ...policy]],
    undo: ({ policy }) => [['symlinks', 'guard', 'disable', ...policy]],
    layers: ['symlinks guard'],
  },
  {
    key: 'placement',
    level: 'isolate',
    startsOpen: true,
    title: 'Report processes that run as a tenant outside its cgroup',
    changes: ({ file }) => `adds <placement> to ${file}; loads a BPF program that only reports`,
    customers: 'nothing',
    edit: (text) => setUnlessThere(text, [{ name: 'placement' }], { strict: 'watch' }),
    commands: nothing,
    undo: nothing,
    layers: ['strict placement'],
  },
  networkStep,
  {
    key: 'modules',
    level: 'isolate',
    startsOpen: true,
    title: 'Report kernel modules that no list has',
    changes: 'makes a list of the modules of this kernel; loads a BPF program that only reports',
    customers: 'nothing',
    commands: ({ policy }) => [['modules', 'gate', 'enable', '--watch', ...policy]],
    undo: () => [['modules', 'gate', 'disable']],
    layers: ['modules gate'],
  },
  {
    key: 'prove',
    level: 'limit',
    title: 'Attack this host from scratch tenants, to show what is blocked',
    changes: 'nothing that stays: makes scratch tenants, and removes them',
    customers: 'nothing',
    commands: nothing,
    undo: nothing,
    layers: [],
    report: proveReport,
  },
];

/** The services of the distribution: what runs in tenants' services enters a new jail when they are reloaded. */
function phpUnits({ look }: StepContext): readonly string[] {
  if (!look.hasSystemd) return [];
  return look.php.flatMap(({ php }) => (php === null ? [] : distributionUnit(php)));
}

function phpObstacle(context: StepContext): string | undefined {
  const none = context.look.php.some(({ isServed }) => isServed)
    ? undefined
    : 'no PHP-FPM that it can serve';
  return needsSystemd(context) ?? none;
}

/** Why the step for all tenants' jails does not apply. */
const noJails = {
  none: 'you want no jails',
  new: 'you want jails only for new tenants',
  all: 'you want jails for all tenants',
} as const;

function jailsObstacle({ answers: { jails } }: StepContext): string | undefined {
  return jails === 'all' ? undefined : noJails[jails];
}

/** Returns the tenant that gets a jail first: no one that the policy exempts. */
const firstJailed = ({ canary, unjailed }: StepContext) =>
  unjailed.find(({ user }) => user === canary) ?? unjailed[0];

const firstObstacle = ({ canary }: StepContext) =>
  canary === undefined ? 'there is no tenant to try it on' : undefined;

export const alertsPath = [
  { name: 'agent' },
  { name: 'alerts' },
  { name: 'mail', named: { attribute: 'to', value: 'administrator' } },
] as const;

const defaultJail = [{ name: 'defaults' }, { name: 'jail' }] as const;

/** Sets the element, unless the policy has one: that is the administrator's. */
const setUnlessThere = (text: string, path: readonly ElementName[], attributes: Attributes) =>
  hasElement(text, path) ? ok(text) : setElement(text, path, attributes);

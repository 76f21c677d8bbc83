/**
 * The systemd units of an application: a socket, which systemd keeps open, and the service that the first request starts.
 * The launcher takes the service into the tenant's cgroup and jail before the first instruction that is the tenant's
 * (`entry/serve.c`).
 *
 * Texts of the policy are quoted, so that none of them can begin another line or setting, and neither a specifier nor a
 * variable is replaced in them. Source: systemd.syntax(7), systemd.service(5), systemd.exec(5).
 */
import type { App } from '../../policy/apps/app.ts';
import type { AppRow } from '../../policy/apps/app-state.ts';
import { databaseSocketsMode } from '../../policy/databases/own-database.ts';
import { databaseEndSeconds, databaseReadySeconds } from './database-server.ts';
import { sliceOf, type SliceOwner } from '../../plan/slice.ts';
import { socketPath, unitName } from './names.ts';

/** The account of an application. */
export interface AppOwner {
  readonly uid: number;
  /** The name of the account, for people. */
  readonly user: string;
}

export interface AppSetting {
  readonly instance: string;
  /** `/usr/lib/node_modules/bulkhead/dist/entry/x64/bulkhead-exec`. */
  readonly launcher: string;
  /** The state directory of the instance. */
  readonly state: string;
  /** The group of the web server, which alone may connect. */
  readonly webGroup: string;
  /** The shell script that runs a database server. */
  readonly databaseScript: string;
  /** Whether systemd has PollLimitBurst=, from version 255. */
  readonly hasPollLimit: boolean;
  /** Whether it is a slice of systemd that we have limited. */
  readonly hasSlice: (owner: SliceOwner) => boolean;
}

type DefinedBy = AppRow['by'];

const headers: Readonly<Record<DefinedBy, string>> = {
  policy: '# Written by Bulkhead for an <app> of the policy; it is replaced when it differs.\n',
  tenant:
    '# Written by Bulkhead for an application that its tenant defined; it is replaced when it differs.\n',
};

/** Whether it is the unit of an application that its tenant has defined. */
export const isOwnUnit = (text: string): boolean => text.startsWith(headers.tenant);

/** The time in which the launcher ends the program; absent for that of entry/serve.c, 10 seconds. */
const endSeconds: Readonly<Record<DefinedBy, number | undefined>> = {
  policy: undefined,
  // Each of their changes may stop it, and the changes of others wait meanwhile.
  tenant: 2,
};
/** The time after which systemd ends the launcher: longer, as it also ends what the program has left behind. */
const stopSeconds: Readonly<Record<DefinedBy, number>> = { policy: 20, tenant: 6 };
const startsWithinSeconds = 60;

const endsOf = ({ isDatabase }: App, by: DefinedBy) =>
  isDatabase === true ? databaseEndSeconds : endSeconds[by];
const stopsOf = ({ isDatabase }: App, by: DefinedBy) =>
  isDatabase === true ? databaseEndSeconds + 10 : stopSeconds[by];

export function socketUnit(
  setting: AppSetting,
  owner: AppOwner,
  app: App,
  by: DefinedBy = 'policy',
): string {
  return `${headers[by]}[Unit]
Description=${describe(`Socket of application ${app.name} of tenant ${owner.user}`)}
Documentation=man:bulkhead(8)
${unlessStopped(setting, owner)}
[Socket]
ListenStream=${socketPath(setting.instance, owner.uid, app)}
${app.isDatabase === true ? ofTenant(owner) : ofWebServer(setting)}RemoveOnStop=yes
# How often the service starts is limited there.
TriggerLimitIntervalSec=0
${setting.hasPollLimit ? 'PollLimitIntervalSec=0\n' : ''}
[Install]
WantedBy=sockets.target
`;
}

const ofWebServer = ({ webGroup }: AppSetting): string =>
  `# Whoever can connect runs the program as the tenant, so only the web server may.
SocketUser=root
SocketGroup=${webGroup}
SocketMode=0660
DirectoryMode=0755
`;

/** Tenants may have the same group, so none gets access by it. */
const ofTenant = ({ uid }: AppOwner): string =>
  `# Whoever can connect is the tenant for the server, so only the tenant may.
SocketUser=${uid}
SocketGroup=root
SocketMode=0600
DirectoryMode=0${databaseSocketsMode.toString(8)}
`;

export function serviceUnit(
  setting: AppSetting,
  owner: AppOwner,
  app: App,
  by: DefinedBy = 'policy',
): string {
  const { instance } = setting;
  const socket = unitName(instance, { uid: owner.uid, name: app.name }, 'socket');
  const what = app.isDatabase === true ? 'Database server' : `Application ${app.name}`;
  const ofSite = app.site === undefined ? '' : `, site ${app.site}`;
  const slice = sliceFor(setting, owner, app);
  return `${headers[by]}[Unit]
Description=${describe(`${what} of tenant ${owner.user}${ofSite}`)}
Documentation=man:bulkhead(8)
${unlessStopped(setting, owner)}StartLimitIntervalSec=${startsWithinSeconds}
StartLimitBurst=${startsWithin(app)}
# The program gets its socket, whoever starts it. It does not end with it: a frozen one stays while its socket is closed.
Wants=${socket}
After=${socket} network.target ${instance}.service ${instance}-tenants.service ${instance}-jail.service

[Service]
# The process is the tenant's: what it could tell systemd is how long to wait for it (EXTEND_TIMEOUT_USEC=).
Type=exec
NotifyAccess=none
${slice === undefined ? '' : placeIn(slice)}${variables(app)}ExecStart=${launch(setting, owner, app, endsOf(app, by), slice)}
${app.idleSeconds === 0 ? 'Restart=on-failure\nRestartSec=1\n' : ''}SyslogIdentifier=${instance}-app
KillMode=mixed
SendSIGKILL=yes
TimeoutStopSec=${stopsOf(app, by)}
# A process that uses up the tenant's memory ends alone.
OOMPolicy=continue
${
  app.idleSeconds === 0
    ? `
[Install]
WantedBy=multi-user.target
`
    : ''
}`;
}

/** Returns the slice in which systemd starts the service: the launcher would have to ask for a scope there. */
function sliceFor({ hasSlice }: AppSetting, { uid }: AppOwner, { site }: App): string | undefined {
  const place: SliceOwner = site === undefined ? { uid } : { uid, site };
  return hasSlice({ uid }) && hasSlice(place) ? sliceOf(place) : undefined;
}

/** The limit of the slice counts, and not the one that systemd gives each service. */
const placeIn = (slice: string): string => `Slice=${slice}\nTasksMax=infinity\n`;

/** Returns the number of starts in a minute: those that the policy allows, and one after each stop of an idle program. */
export const startsWithin = ({
  starts,
  idleSeconds,
}: Pick<App, 'starts' | 'idleSeconds'>): number =>
  starts + (idleSeconds === 0 ? 0 : Math.floor(startsWithinSeconds / idleSeconds));

/** One that comes while its tenant is stopped waits for the start. */
const unlessStopped = ({ state }: AppSetting, { uid }: AppOwner): string =>
  `ConditionPathExists=!${state}/stopped/${uid}\n`;

const variables = ({ variables: list }: App): string =>
  list.map(({ name, value }) => `Environment=${quoted(`${name}=${value}`)}\n`).join('');

function launch(
  { launcher, instance, databaseScript }: AppSetting,
  owner: AppOwner,
  app: App,
  ends: number | undefined,
  slice: string | undefined,
): string {
  const { name, command, directory, environment, site, listen, idleSeconds } = app;
  const words = [
    '--instance',
    instance,
    '--app',
    name,
    ...launcherOptions[listen],
    ...(idleSeconds === 0 ? [] : ['--app-idle', `${idleSeconds}`]),
    ...(app.isDatabase === true ? ['--app-private', '--app-ready', `${databaseReadySeconds}`] : []),
    ...(ends === undefined ? [] : ['--app-end', `${ends}`]),
    ...(environment === undefined ? [] : ['--app-env', environment]),
    ...(directory === undefined ? [] : ['--chdir', directory]),
    ...(site === undefined ? [] : ['--site', site]),
    ...(slice === undefined ? [] : ['--stay-in-slice']),
    ...app.variables.flatMap((each) => ['--keep-env', each.name]),
    accountOf(owner),
    '--',
  ];
  const program =
    app.isDatabase === true
      ? ['/bin/sh', '-c', scriptWord(databaseScript)]
      : programWords(command).map(wordOf);
  return [launcher, ...words.map(wordOf), ...program].join(' ');
}

const launcherOptions: Readonly<Record<App['listen'], readonly string[]>> = {
  port: [],
  descriptor: ['--app-descriptor'],
  tcp: ['--app-tcp'],
};

/**
 * Returns the words of a command. One that means the same without a shell starts without: a shell costs the first request
 * its own start. The program of any other single command gets the shell's process id, which is in LISTEN_PID. One of several
 * parts stays as it is, and one that begins with something of the shell's own.
 */
function programWords(command: string): readonly string[] {
  const text = command.trim();
  if (ofShell.test(text)) return ['/bin/sh', '-c', command];
  if (/^[A-Za-z0-9_./-]+(?: +[A-Za-z0-9_./:=@%+,-]+)*$/.test(text)) return text.split(/ +/);
  const isSingle = /^[A-Za-z0-9_./-]+(?:\s[^;&|<>()`\\]*)?$/.test(text);
  return ['/bin/sh', '-c', isSingle ? `exec ${text}` : command];
}

const ofShell =
  /^\s*(?:\.|:|case|cd|command|eval|exec|export|for|if|read|set|shift|source|trap|ulimit|umask|unset|until|wait|while)(?:\s|$)/;

/** The name, where it can be one for the launcher: an account that gets the uid later is not started as that. */
const accountOf = ({ uid, user }: AppOwner): string =>
  /^[A-Za-z_]/.test(user) && !/\p{Cc}/u.test(user) ? user : `${uid}`;

/** Returns a word of a command, in which systemd would also replace variables. */
const wordOf = (text: string): string =>
  /^[A-Za-z0-9/_.,:=-]+$/.test(text) ? text : quoted(text).replaceAll('$', '$$$$');

/** Returns a script of ours as a word: systemd puts line breaks and tabs in place of their escapes. */
const scriptWord = (script: string): string => {
  const lines = script.split('\n').map((line) => line.split('\t').map(inQuotes).join('\\t'));
  return `"${lines.join('\\n')}"`.replaceAll('$', '$$$$');
};

/** Returns a text that systemd reads as one word. There are no control characters in it: the policy's reader refuses them. */
export function quoted(text: string): string {
  if (/\p{Cc}/u.test(text)) throw new Error('A text for a unit has a control character');
  return `"${inQuotes(text)}"`;
}

const inQuotes = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%');

/** Account names of directory services may have signs that mean something to systemd. */
const describe = (text: string): string => text.replace(/[^A-Za-z0-9 ,._@+-]/g, '_');

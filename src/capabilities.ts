/** The list of capabilities. To add one: a directory beside these, and an entry here. */
import type { Capability } from './cli/capability.ts';
import { cloudLinuxCommands } from './cloudlinux/commands/cloudlinux-commands.ts';

const kernelModules: Capability = {
  name: 'modules',
  commands: {
    modules: {
      usage: '',
      summary: 'audit kernel modules',
      load: () => import('./modules/commands/modules.ts'),
    },
  },
  agentParts: [async () => (await import('./modules/io/gate/gate-part.ts')).gatePart],
  undo: async () => (await import('./modules/commands/undo.ts')).undoModules,
  layers: async () => (await import('./modules/commands/gate/layers.ts')).moduleLayers,
};

const cloudLinux: Capability = {
  name: 'cloudlinux',
  commands: cloudLinuxCommands,
  policyFormat: async () => (await import('./cloudlinux/core/ve-cfg.ts')).veCfg,
  agentParts: [async () => (await import('./cloudlinux/io/lve-info-writer.ts')).lveInfoWriter],
  undo: async () => (await import('./cloudlinux/commands/undo.ts')).undoCloudLinux,
};

const web: Capability = {
  name: 'web',
  commands: {
    web: {
      usage: '',
      summary: "show each site's owner, PHP handler and limits",
      load: () => import('./web/commands/web.ts'),
    },
  },
  agentParts: [
    async () => (await import('./web/io/entries/entries-part.ts')).entriesPart,
    async () => (await import('./web/io/fpm/idle/idle-stopper.ts')).idleStopper,
    async () => (await import('./web/io/fpm/failures/failures-part.ts')).fpmFailuresPart,
    async () => (await import('./web/io/served/served-part.ts')).servedPart,
    async () => (await import('./web/io/access-logs/sent-part.ts')).sentPart,
  ],
  incidents: {
    load: async () => [(await import('./web/core/entries/entries-incidents.ts')).entriesIncidents],
  },
  doctor: async () => (await import('./web/commands/fpm/doctor.ts')).fpmDoctor,
  entryPaths: {
    slow: true,
    load: async () => (await import('./web/commands/entry-paths.ts')).webEntryPaths,
  },
  origins: {
    entryPath: 'PHP-FPM',
    load: async () => (await import('./web/io/pool-of-process.ts')).poolOrigins,
  },
  releaseBlocker: async () => (await import('./web/io/fpm/release-blocker.ts')).fpmReleaseBlocker,
  policyPart: async () => (await import('./web/io/policy-part.ts')).webPolicy,
  undo: async () => (await import('./web/commands/undo.ts')).undoWeb,
  layers: async () => (await import('./web/commands/layers.ts')).webLayers,
  servedSites: async () => (await import('./web/commands/served.ts')).sitesServedHere,
  mainDomains: async () => (await import('./web/io/served/main-domains.ts')).firstServedNames,
};

const app: Capability = {
  name: 'app',
  commands: {
    app: {
      usage: '',
      summary: "run tenants' Node, Python and Ruby applications behind web servers",
      load: () => import('./app/commands/app.ts'),
    },
  },
  policyPart: async () => (await import('./app/io/policy-part.ts')).appPolicy,
  agentParts: [async () => (await import('./app/io/agent-part.ts')).appPart],
  doctor: async () => (await import('./app/commands/doctor.ts')).appDoctor,
  layers: async () => (await import('./app/commands/layers.ts')).appLayers,
  releaseBlocker: async () => (await import('./app/io/policy-part.ts')).appReleaseBlocker,
  undo: async () => (await import('./app/commands/undo.ts')).undoApps,
  ownDatabases: async () => (await import('./app/io/own-databases.ts')).readOwnDatabases,
};

const pam: Capability = {
  name: 'pam',
  commands: {
    pam: {
      usage: '',
      summary: "place tenants' logins, cron jobs and at jobs before their first instruction",
      load: () => import('./pam/commands/pam.ts'),
    },
  },
  agentParts: [async () => (await import('./pam/io/watch.ts')).loginWatch],
  undo: async () => (await import('./pam/commands/undo.ts')).undoLogin,
  entryPaths: { load: async () => (await import('./pam/commands/entry-paths.ts')).loginEntryPaths },
};

const placement: Capability = {
  name: 'placement',
  commands: {
    placement: {
      usage: '',
      summary: "show what the kernel refuses to processes outside their tenant's cgroup",
      load: () => import('./placement/commands/placement.ts'),
    },
  },
  policyPart: async () => (await import('./placement/io/reconcile.ts')).strictPolicy,
  undo: async () => (await import('./placement/commands/undo.ts')).undoStrict,
  layers: async () => (await import('./placement/commands/layers.ts')).placementLayers,
  doctor: async () => (await import('./placement/commands/doctor.ts')).strictDoctor,
  releaseBlocker: async () => (await import('./placement/io/reconcile.ts')).placementReleaseBlocker,
  agentParts: [async () => (await import('./placement/io/strict-part.ts')).strictPart],
};

const symlinks: Capability = {
  name: 'symlinks',
  commands: {
    symlinks: {
      usage: '',
      summary: "find and block symlinks to other tenants' files",
      load: () => import('./symlinks/commands/symlinks.ts'),
    },
  },
  policyPart: async () => (await import('./symlinks/io/guard/follow.ts')).guardPolicy,
  undo: async () => (await import('./symlinks/commands/undo.ts')).undoGuard,
  layers: async () => (await import('./symlinks/commands/layers.ts')).symlinkLayers,
  doctor: async () => (await import('./symlinks/commands/doctor.ts')).symlinksDoctor,
  securityItems: async () =>
    (await import('./symlinks/commands/security-items.ts')).symlinksSecurity,
  agentParts: [async () => (await import('./symlinks/io/guard/guard-part.ts')).guardPart],
  incidents: {
    words: { symlinks: ['symlinks.guard'] },
    load: async () => [(await import('./symlinks/core/guard/link-incidents.ts')).linkIncidents],
  },
  releaseBlocker: async () => (await import('./symlinks/io/guard/follow.ts')).guardReleaseBlocker,
};

const jail: Capability = {
  name: 'jail',
  commands: {
    jail: {
      usage: '',
      summary: "show, enter and compare tenants' jails",
      load: () => import('./jail/commands/jail.ts'),
    },
  },
  policyPart: async () => (await import('./jail/io/part.ts')).jailPart,
  agentParts: [
    async () => (await import('./jail/io/jail-refresher.ts')).jailRefresher,
    async () => (await import('./jail/io/broker-part.ts')).brokerPart,
    async () => (await import('./jail/io/refusals-part.ts')).refusalsPart,
    async () => (await import('./jail/io/mail-part.ts')).mailPart,
  ],
  incidents: {
    words: { jail: ['jail.isolation'] },
    load: async () => [(await import('./jail/core/jail-incidents.ts')).jailIncidents],
  },
  doctor: async () => (await import('./jail/commands/doctor.ts')).jailDoctor,
  layers: async () => (await import('./jail/commands/layers.ts')).jailLayers,
  securityItems: async () => (await import('./jail/commands/security-items.ts')).jailSecurity,
};

const harden: Capability = {
  name: 'harden',
  commands: {
    harden: {
      usage: '',
      summary: 'set kernel protections for a shared host, now and at boot',
      load: () => import('./harden/commands/harden.ts'),
    },
  },
  undo: async () => (await import('./harden/commands/undo.ts')).undoHardening,
  layers: async () => (await import('./harden/commands/layers.ts')).hardenLayers,
  securityReport: async () => (await import('./harden/commands/security-report.ts')).securityReport,
};

const confine: Capability = {
  name: 'confine',
  commands: {
    confine: {
      usage: '',
      summary: 'sandbox daemons (web, mail, database, DNS, FTP)',
      load: () => import('./confine/commands/confine.ts'),
    },
  },
  undo: async () => (await import('./confine/commands/undo.ts')).undoConfine,
  layers: async () => (await import('./confine/commands/layers.ts')).confineLayers,
  securityItems: async () => (await import('./confine/commands/security-items.ts')).daemonItems,
};

const prove: Capability = {
  name: 'prove',
  commands: {
    prove: {
      usage: '[options]',
      summary:
        'attack this host as a tenant would, and show what was blocked; exits with 3 if the policy is not enforced',
      load: () => import('./prove/commands/prove.ts'),
    },
  },
};

const stop: Capability = {
  name: 'stop',
  commands: {
    stop: {
      usage: '[options] <tenant>',
      summary: 'end all processes of a tenant and keep it out until "bulkhead start"',
      load: () => import('./stop/commands/stop.ts'),
    },
    start: {
      usage: '[options] <tenant>',
      summary: 'let a stopped tenant run again',
      load: () => import('./stop/commands/start.ts'),
    },
  },
  agentParts: [async () => (await import('./stop/io/stop-part.ts')).stopPart],
  incidents: {
    load: async () => [(await import('./stop/core/stop-advice.ts')).stopAdvice],
  },
  policyPart: async () => (await import('./stop/io/stop-policy.ts')).stopPolicy,
  undo: async () => (await import('./stop/commands/undo.ts')).undoStops,
  doctor: async () => (await import('./stop/commands/doctor.ts')).stopDoctor,
};

const panel: Capability = {
  name: 'panel',
  commands: {
    panel: {
      usage: '',
      summary: 'follow the control panel: its accounts, plans, resellers and addresses',
      load: () => import('./panel/commands/panel.ts'),
    },
  },
  policyPart: async () => (await import('./panel/io/policy-part.ts')).panelPolicy,
  agentParts: [async () => (await import('./panel/io/panel-part.ts')).panelPart],
  undo: async () => (await import('./panel/commands/undo.ts')).undoHooks,
  doctor: async () => (await import('./panel/commands/doctor.ts')).panelDoctor,
  packageLimits: async () => (await import('./panel/commands/package-limits.ts')).packageLimits,
  mainDomains: async () => (await import('./panel/commands/main-domains.ts')).panelDomains,
};

const digest: Capability = {
  name: 'digest',
  commands: {
    digest: {
      usage: '',
      summary: 'regular mail to customers and resellers: limits reached, and disks that fill up',
      load: () => import('./digest/commands/digest.ts'),
    },
  },
  policyPart: async () => (await import('./digest/io/policy-part.ts')).digestPolicy,
  agentParts: [async () => (await import('./digest/io/digest-part.ts')).digestPart],
  remarks: async () => {
    const { textProblems } = await import('./digest/io/read-texts.ts');
    return (paths, { agent }) => textProblems(paths, agent);
  },
  doctor: async () => (await import('./digest/commands/doctor.ts')).digestDoctor,
};

const database: Capability = {
  name: 'database',
  commands: {
    db: {
      usage: '',
      summary: "divide a shared database server's time and connections among tenants",
      load: () => import('./database/commands/db.ts'),
    },
  },
  policyPart: async () => (await import('./database/io/policy-part.ts')).databasePolicy,
  agentParts: [
    async () => (await import('./database/io/hold/leftovers.ts')).thawAtStart,
    async () => (await import('./database/io/agent-part.ts')).databasePart,
  ],
  incidents: {
    load: async () => (await import('./database/core/use/database-incidents.ts')).databaseIncidents,
  },
  undo: async () => (await import('./database/commands/undo.ts')).undoDatabase,
  remarks: async () => (await import('./database/commands/remarks.ts')).databaseRemarks,
  doctor: async () => (await import('./database/commands/doctor.ts')).databaseDoctor,
  layers: async () => (await import('./database/commands/layers.ts')).databaseLayers,
};

const fleet: Capability = {
  name: 'fleet',
  commands: {
    fleet: {
      usage: '',
      summary: 'one policy for many hosts: sign it, publish it, and let each host judge it',
      load: () => import('./fleet/commands/fleet.ts'),
    },
  },
  agentParts: [async () => (await import('./fleet/io/agent-part.ts')).fleetPart],
  undo: async () => (await import('./fleet/commands/host/undo.ts')).undoFleet,
  doctor: async () => (await import('./fleet/commands/host/doctor.ts')).fleetDoctor,
  hostSeal: async () => (await import('./fleet/commands/host/host-seal.ts')).hostSeal,
};

const history: Capability = {
  name: 'history',
  commands: {
    history: {
      usage: '',
      summary: "push the history to other servers, or take a tenant's to another host",
      load: () => import('./history/commands/history.ts'),
    },
  },
};

const setup: Capability = {
  name: 'setup',
  commands: {
    setup: {
      usage: '[options]',
      summary: 'set up this host: asks six questions, shows one plan, and carries it out',
      load: () => import('./setup/commands/setup.ts'),
    },
  },
  undo: async () => (await import('./setup/commands/boot/undo.ts')).undoBootOptions,
  layersAtBoot: async () => (await import('./setup/commands/boot/layers.ts')).layersAtBoot,
};

const network: Capability = {
  name: 'network',
  commands: {
    network: {
      usage: '',
      summary: 'show what tenants send and receive, and whom they may talk to',
      load: () => import('./network/commands/network.ts'),
    },
  },
  policyPart: async () => (await import('./network/io/policy-part.ts')).networkPolicy,
  agentParts: [async () => (await import('./network/io/agent-part.ts')).networkPart],
  incidents: {
    words: {
      mail: ['reach.mail'],
      reach: ['reach.tenants', 'reach.metadata', 'reach.address', 'listen.ports', 'listen.public'],
    },
    load: async () => (await import('./network/core/network-incidents.ts')).networkIncidents,
  },
  doctor: async () => (await import('./network/commands/doctor.ts')).networkDoctor,
  layers: async () => (await import('./network/commands/layers.ts')).networkLayers,
};

const browserConsole: Capability = {
  name: 'console',
  commands: {
    console: {
      usage: '',
      summary: 'see and manage this host, or your own tenant, in a browser',
      load: () => import('./console/commands/console.ts'),
    },
  },
  agentParts: [async () => (await import('./console/io/settings-part.ts')).settingsPart],
  undo: async () => (await import('./console/commands/undo.ts')).undoConsole,
  doctor: async () => (await import('./console/commands/doctor.ts')).consoleDoctor,
};

export const capabilities: readonly Capability[] = [
  kernelModules,
  cloudLinux,
  web,
  app,
  pam,
  symlinks,
  placement,
  jail,
  harden,
  confine,
  prove,
  stop,
  panel,
  digest,
  database,
  network,
  fleet,
  history,
  setup,
  browserConsole,
];

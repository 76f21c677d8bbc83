/** `bulkhead fleet`: one policy for many hosts, signed by people. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  init: {
    usage: '[options] [directory]',
    summary: 'begin a fleet: a directory with an example policy, and the people who may sign',
    load: () => import('./init.ts'),
  },
  check: {
    usage: '[options]',
    summary: 'check fleet.xml, and what becomes of it on each host',
    load: () => import('./check.ts'),
  },
  render: {
    usage: '[options] <host>',
    summary: 'print the plain policy of a host',
    load: () => import('./render.ts'),
  },
  explain: {
    usage: '[options] <host> <tenant>',
    summary: 'show each limit of a tenant on a host, and the line of fleet.xml that sets it',
    load: () => import('./explain.ts'),
  },
  plan: {
    usage: '[options]',
    summary: 'show what changes on which hosts since the last signed release',
    load: () => import('./plan.ts'),
  },
  sign: {
    usage: '[options]',
    summary: "sign the policy of all hosts with your SSH key, as the fleet's next release",
    load: () => import('./sign.ts'),
  },
  publish: {
    usage: '[options] <directory>',
    summary: 'write a file for each host, with all that it needs of the signed release',
    load: () => import('./publish.ts'),
  },
  pull: {
    usage: '[options]',
    summary: "get this host's release over HTTPS, and hand it to the agent",
    load: () => import('./pull.ts'),
  },
  courier: {
    usage: '[options]',
    summary: "carry releases and statuses between this host and its fleet's servers",
    load: () => import('./courier.ts'),
  },
  join: {
    usage: '[options] <trust>',
    summary: 'make this host a member of a fleet, once you have compared the fingerprints',
    load: () => import('./host/join.ts'),
  },
  accept: {
    usage: '[options] <file>',
    summary: 'give this host a release: it checks, applies and watches it, and goes back',
    load: () => import('./host/accept.ts'),
  },
  status: {
    usage: '[options]',
    summary: 'show the release in force on this host, and how it does',
    load: () => import('./host/status.ts'),
  },
  keep: {
    usage: '[options]',
    summary: 'confirm the release in force: this host goes back to it from now on',
    load: () => import('./host/keep.ts'),
  },
  back: {
    usage: '[options]',
    summary: 'go back to the confirmed release',
    load: () => import('./host/back.ts'),
  },
  hold: {
    usage: '[options]',
    summary: 'let no release change this host for a time',
    load: () => import('./host/hold.ts'),
  },
  resume: {
    usage: '[options]',
    summary: 'end a hold',
    load: () => import('./host/resume.ts'),
  },
  leave: {
    usage: '[options]',
    summary: "leave the fleet, and keep or drop what the fleet's policy says",
    load: () => import('./host/leave.ts'),
  },
  rollout: {
    usage: '',
    summary: 'show and change which waves of hosts may take the release',
    load: () => import('./rollout.ts'),
  },
  trust: {
    usage: '',
    summary: 'show and change who may sign',
    load: () => import('./trust.ts'),
  },
  top: {
    usage: '[options]',
    summary: 'show the tenants of all hosts that used the most: each host is asked',
    load: () => import('./centre/top.ts'),
  },
  usage: {
    usage: '[options] <tenant>',
    summary: 'show what a tenant used, on each host that has one of that name',
    load: () => import('./centre/usage.ts'),
  },
  faults: {
    usage: '[options] [tenants...]',
    summary: 'list the incidents of all hosts, as they have told the centre',
    load: () => import('./centre/faults.ts'),
  },
  incident: {
    usage: '[options] <id>',
    summary: 'show what the centre knows about an incident on a host',
    load: () => import('./centre/incident.ts'),
  },
  room: {
    usage: '[options]',
    summary: 'show which hosts have room for more tenants, and which resource decides',
    load: () => import('./centre/room.ts'),
  },
  move: {
    usage: '[options] <tenant> <from> <to>',
    summary: 'let a tenant move to another host: its limits are there before its account',
    load: () => import('./move/move.ts'),
  },
  server: {
    usage: '',
    summary: "make and check the servers that carry the fleet's documents",
    load: () => import('./servers/server.ts'),
  },
  host: {
    usage: '',
    summary: "add or remove the credentials with which hosts use the fleet's servers",
    load: () => import('./servers/host.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead fleet init ~/fleet --name example', 'begin: fleet.xml, and you as the signer'],
        ['bulkhead fleet sign && bulkhead fleet publish out', 'the next release, a file a host'],
      ),
    );
    addCommands(parent, parts);
  },
};

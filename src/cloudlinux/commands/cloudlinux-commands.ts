/** The commands of CloudLinux, by their names. */
import type { CommandTable } from '../../cli/shared/command-table.ts';

export const cloudLinuxCommands: CommandTable = {
  import: {
    usage: '[options] [file]',
    summary: 'turn a CloudLinux ve.cfg into a policy, with comments on what changes',
    load: () => import('./import.ts'),
  },
  export: {
    usage: '[options] [form]',
    summary: 'write the policy as a CloudLinux ve.cfg, and warn about what that cannot express',
    load: () => import('./export.ts'),
  },
  lvectl: {
    usage: '[options] [command] [words...]',
    summary: "read and set limits with the syntax of CloudLinux's lvectl",
    load: () => import('./lvectl/lvectl.ts'),
  },
  lveinfo: {
    usage: '[options]',
    summary: "show what tenants used in a period, like CloudLinux's lveinfo",
    load: () => import('./lveinfo.ts'),
  },
  'cloudlinux-top': {
    usage: '[options]',
    summary: "show what tenants use now, like CloudLinux's cloudlinux-top",
    load: () => import('./cloudlinux-top.ts'),
  },
  'cloudlinux-limits': {
    usage: '[options] [words...]',
    summary: "read and set tenants' limits, like CloudLinux's cloudlinux-limits",
    load: () => import('./limits/cloudlinux-limits.ts'),
  },
  'cloudlinux-packages': {
    usage: '[options] [words...]',
    summary: "read and set packages' limits, like CloudLinux's cloudlinux-packages",
    load: () => import('./limits/cloudlinux-packages.ts'),
  },
  'cloudlinux-statistics': {
    usage: '[options]',
    summary: "show what tenants used in a period, like CloudLinux's cloudlinux-statistics",
    load: () => import('./statistics/cloudlinux-statistics.ts'),
  },
  'cloudlinux-config': {
    usage: '[options] [words...]',
    summary: "show the alert rules of the policy, like CloudLinux's cloudlinux-config",
    load: () => import('./config/cloudlinux-config.ts'),
  },
  lvechart: {
    usage: '[options]',
    summary: "draw a tenant's use in a period as SVG, like CloudLinux's lvechart",
    load: () => import('./history/lvechart.ts'),
  },
  'lve-read-snapshot': {
    usage: '[options]',
    summary: 'show the processes of a tenant when it hit its limits',
    load: () => import('./history/lve-read-snapshot.ts'),
  },
  lveps: {
    usage: '[options]',
    summary: "show tenants that run something now, like CloudLinux's lveps",
    load: () => import('./lveps.ts'),
  },
  dbtop: {
    usage: '[options]',
    summary: "show who uses database servers now, like MySQL Governor's dbtop",
    load: () => import('./databases/dbtop.ts'),
  },
  cloudlinux: {
    usage: '',
    summary: "install CloudLinux's commands on this host",
    load: () => import('./cloudlinux.ts'),
  },
};

/** The list of capabilities. To add one: a directory beside these, and an entry here. */
import type { Capability } from './capability.ts';

const kernelModules: Capability = {
  name: 'kernel-modules',
  commands: { modules: () => import('./kernel-modules/commands/modules.ts') },
};

const cloudLinux: Capability = {
  name: 'cloudlinux',
  commands: {
    import: () => import('./cloudlinux/commands/import.ts'),
    export: () => import('./cloudlinux/commands/export.ts'),
    lvectl: () => import('./cloudlinux/commands/lvectl.ts'),
    lveinfo: () => import('./cloudlinux/commands/lveinfo.ts'),
    'cloudlinux-top': () => import('./cloudlinux/commands/cloudlinux-top.ts'),
    cloudlinux: () => import('./cloudlinux/commands/cloudlinux.ts'),
  },
  policyFormat: async () => (await import('./cloudlinux/core/ve-cfg.ts')).veCfg,
  agentPart: async () => (await import('./cloudlinux/io/lve-info-writer.ts')).lveInfoWriter,
};

export const capabilities: readonly Capability[] = [kernelModules, cloudLinux];

/** Publicly known modules. Short on purpose: each entry names its source. */
import type { Evidence } from './trust-level.ts';
import { infoName, modinfoAll, type KernelModule } from '../record/module.ts';

/** `known-case`: the module's claim is untrue. `known-name`: only the name is known. */
interface KnownCase extends Pick<Evidence, 'weight'> {
  readonly check: 'known-case' | 'known-name';
  readonly matches: (module: KernelModule) => boolean;
  readonly message: string;
}

const named = (name: string) => (module: KernelModule) =>
  module.structName === name || infoName(module) === name;

export const knownCases: readonly KnownCase[] = [
  {
    check: 'known-case',
    weight: 'proof',
    matches: named('lve'),
    message:
      '"lve" is distrusted by the kernel itself: it claims to be GPL, but its source was not provided ' +
      '(kernel/module/main.c, module_license_offenders)',
  },
  {
    check: 'known-case',
    weight: 'proof',
    matches: named('driverloader'),
    message:
      '"driverloader" is distrusted by the kernel itself: it was caught wrongly pretending to be under ' +
      'the GPL (kernel/module/main.c, module_license_offenders)',
  },
  {
    check: 'known-case',
    weight: 'proof',
    matches: (module) =>
      /linuxant/i.test(
        [...modinfoAll(module, 'author'), ...modinfoAll(module, 'license')].join('\n'),
      ) && modinfoAll(module, 'license').some((license) => license.startsWith('GPL')),
    message:
      'Linuxant hid a closed license behind a NUL in the text "GPL" (linux-kernel mailing list, April 2004); ' +
      'this module names Linuxant and claims the GPL',
  },
  {
    check: 'known-name',
    weight: 'lead',
    matches: named('kmodlve'),
    message:
      '"kmodlve" is a module of CloudLinux, whose documentation names /sys/module/kmodlve; the kernel distrusts ' +
      'one called "lve" by its name (kernel/module/main.c, module_license_offenders), and does not distrust this name',
  },
];

export const ndiswrapper = named('ndiswrapper');

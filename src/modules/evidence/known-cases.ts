/** Modules of which it is publicly known what they are. Short on purpose: each names where it is written. */
import type { Evidence } from '../standing.ts';
import { infoName, modinfoAll, type KernelModule } from '../module.ts';

/** `known-case`: its claim is untrue. `known-name`: nothing but the name is known. */
interface KnownCase extends Pick<Evidence, 'weight'> {
  readonly sign: 'known-case' | 'known-name';
  readonly matches: (module: KernelModule) => boolean;
  readonly says: string;
}

const named = (name: string) => (module: KernelModule) =>
  module.structName === name || infoName(module) === name;

export const knownCases: readonly KnownCase[] = [
  {
    sign: 'known-case',
    weight: 'proof',
    matches: named('lve'),
    says:
      '"lve" is distrusted by the kernel itself: it claims to be GPL, but its source was not provided ' +
      '(kernel/module/main.c, module_license_offenders)',
  },
  {
    sign: 'known-case',
    weight: 'proof',
    matches: named('driverloader'),
    says:
      '"driverloader" is distrusted by the kernel itself: it was caught wrongly pretending to be under ' +
      'the GPL (kernel/module/main.c, module_license_offenders)',
  },
  {
    sign: 'known-case',
    weight: 'proof',
    matches: (module) =>
      /linuxant/i.test(
        [...modinfoAll(module, 'author'), ...modinfoAll(module, 'license')].join('\n'),
      ) && modinfoAll(module, 'license').some((licence) => licence.startsWith('GPL')),
    says:
      'Linuxant hid a closed licence behind a NUL in the text "GPL" (linux-kernel mailing list, April 2004); ' +
      'this module names Linuxant and claims the GPL',
  },
  {
    sign: 'known-name',
    weight: 'lead',
    matches: named('kmodlve'),
    says:
      '"kmodlve" is a module of CloudLinux, whose documentation names /sys/module/kmodlve; the kernel distrusts ' +
      'one called "lve" by its name (kernel/module/main.c, module_license_offenders), and does not distrust this name',
  },
];

export const ndiswrapper = named('ndiswrapper');

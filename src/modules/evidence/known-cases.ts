/** Modules whose claim is publicly known to be untrue. Short on purpose: each names where it is written. */
import { infoName, modinfoAll, type KernelModule } from '../module.ts';

interface KnownCase {
  readonly matches: (module: KernelModule) => boolean;
  readonly says: string;
}

const named = (name: string) => (module: KernelModule) =>
  module.structName === name || infoName(module) === name;

export const knownCases: readonly KnownCase[] = [
  {
    matches: named('lve'),
    says:
      '"lve" is distrusted by the kernel itself: it claims to be GPL, but its source was not provided ' +
      '(kernel/module/main.c, module_license_offenders)',
  },
  {
    matches: named('driverloader'),
    says:
      '"driverloader" is distrusted by the kernel itself: it was caught wrongly pretending to be under ' +
      'the GPL (kernel/module/main.c, module_license_offenders)',
  },
  {
    matches: (module) =>
      /linuxant/i.test(
        [...modinfoAll(module, 'author'), ...modinfoAll(module, 'license')].join('\n'),
      ) && modinfoAll(module, 'license').some((licence) => licence.startsWith('GPL')),
    says:
      'Linuxant hid a closed licence behind a NUL in the text "GPL" (linux-kernel mailing list, April 2004); ' +
      'this module names Linuxant and claims the GPL',
  },
];

export const ndiswrapper = named('ndiswrapper');

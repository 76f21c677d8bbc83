/**
 * The family: each case is a sequence of loads on a kernel that has loaded nothing yet, and the result of
 * the last. The C sources next to this file are the bases; everything else is changed in the built modules.
 *
 * `loads` gives the module's own taints, `refused` the errno. That is only to show that a case tests what it
 * says: the prediction is compared with all that the kernel does.
 */
import type { Case } from '../../../../../testing/oracle/cases.ts';
import { elf, memory, readOtherwise, relocations, ways } from './files.ts';
import { licenseTags, licenses, otherLicenses } from './licenses.ts';
import { sectionsOfOneName } from './sections.ts';
import { signatures } from './signatures.ts';
import { inheritance, livepatch, namespaces, symbols } from './symbols.ts';
import { names, otherTaints } from './taints.ts';
import { exportFlags, extendedVersions, vermagics, versions } from './versions.ts';

/** The cases on a kernel that was started as Debian starts it. */
export const cases: readonly Case[] = [
  ...licenses,
  ...otherLicenses,
  ...licenseTags,
  ...otherTaints,
  ...names,
  ...vermagics,
  ...versions,
  ...extendedVersions,
  ...exportFlags,
  ...symbols,
  ...inheritance,
  ...namespaces,
  ...livepatch,
  ...signatures,
  ...elf,
  ...sectionsOfOneName,
  ...readOtherwise,
  ...memory,
  ...relocations,
  ...ways,
];

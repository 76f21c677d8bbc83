/**
 * The signs that are looked for, one function each: what was found, or nothing. In the order in which they are told.
 *
 * A proof is a claim that the kernel reads, refuted by a fact; and no sign is one that any module of Debian's
 * kernels shows. See docs/trust.md for what was measured.
 */
import {
  binaryObjects,
  denseObjects,
  embeddedElf,
  foreignObjects,
  livepatch,
  readOtherwise,
  shim,
  unexported,
} from './code-signs.ts';
import {
  closedWords,
  gplOnlyWithoutGpl,
  licenceMissing,
  licenceNul,
  mixedLicences,
  modinfoFragment,
  packageClaim,
  sourceTerms,
} from './licence-signs.ts';
import {
  fileNameDiffers,
  intree,
  keyName,
  knownCase,
  loadsProprietary,
  nameDiffers,
  signature,
  source,
  structBytes,
} from './origin-signs.ts';
import type { Sign } from './sign.ts';

export const signs: readonly Sign[] = [
  knownCase,
  licenceNul,
  mixedLicences,
  nameDiffers,
  structBytes,
  readOtherwise,
  livepatch,
  packageClaim,
  intree,
  foreignObjects,
  source,
  shim,
  unexported,
  gplOnlyWithoutGpl,
  binaryObjects,
  embeddedElf,
  denseObjects,
  closedWords,
  sourceTerms,
  licenceMissing,
  modinfoFragment,
  fileNameDiffers,
  keyName,
  loadsProprietary,
  signature,
];

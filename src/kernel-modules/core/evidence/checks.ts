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
} from './code-checks.ts';
import {
  closedWords,
  gplOnlyWithoutGpl,
  licenseMissing,
  licenseNul,
  mixedLicenses,
  modinfoFragment,
  packageClaim,
  sourceTerms,
} from './license-checks.ts';
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
} from './origin-checks.ts';
import type { Check } from './check.ts';

export const checks: readonly Check[] = [
  knownCase,
  licenseNul,
  mixedLicenses,
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
  licenseMissing,
  modinfoFragment,
  fileNameDiffers,
  keyName,
  loadsProprietary,
  signature,
];

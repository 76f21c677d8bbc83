/**
 * The checks, one function each, in the order in which their results are printed.
 *
 * A proof is a claim that the kernel reads, refuted by a fact; and no check of that weight hits any
 * module of Debian's kernels. See docs/modules.md for what was measured.
 */
import {
  binaryObjects,
  denseObjects,
  embeddedElf,
  foreignObjects,
  livepatch,
  readOtherwiseCheck,
  shim,
  unexported,
} from './code-checks.ts';
import {
  closedModinfo,
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
  signatureCheck,
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
  readOtherwiseCheck,
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
  closedModinfo,
  sourceTerms,
  licenseMissing,
  modinfoFragment,
  fileNameDiffers,
  keyName,
  loadsProprietary,
  signatureCheck,
];

/** A check: one function that looks for one thing, and helpers that several share. */
import { isCompatibleLicense } from '../loader/licenses.ts';
import { modinfo, type KernelModule } from '../record/module.ts';
import type { Evidence } from './trust-level.ts';
import type { TrustContext } from './evidence-context.ts';

type Weight = Evidence['weight'];
export type Check = (module: KernelModule, context: TrustContext) => Evidence | undefined;

/** Limits quotations: an explanation stays readable, however long a license or description is. */
const quotedMax = 300;

export const quoteShortened = (text: string) =>
  JSON.stringify(text.length > quotedMax ? `${text.slice(0, quotedMax)}…` : text);

export const when = (found: boolean, check: string, weight: Weight, message: () => string) =>
  found ? { check, weight, message: message() } : undefined;

/** Whether the module claims the GPL in the first license, the one that the kernel reads. */
export const claimsGpl = (module: KernelModule) =>
  isCompatibleLicense(modinfo(module, 'license') ?? '');

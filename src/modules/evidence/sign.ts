/** A sign: one function that looks for one thing, and the words they share. */
import { isCompatibleLicence } from '../loader/licences.ts';
import { modinfo, type KernelModule } from '../module.ts';
import type { Evidence } from '../standing.ts';
import type { StandingContext } from './context.ts';

export type Weight = Evidence['weight'];
export type Sign = (module: KernelModule, context: StandingContext) => Evidence | undefined;

export const quote = (text: string) => JSON.stringify(text);

export const list = (names: readonly string[], most = 5) =>
  names.slice(0, most).join(', ') + (names.length > most ? ` and ${names.length - most} more` : '');

export const when = (found: boolean, sign: string, weight: Weight, says: () => string) =>
  found ? { sign, weight, says: says() } : undefined;

/** By the licence that the kernel reads, which is the first. */
export const claimsGpl = (module: KernelModule) =>
  isCompatibleLicence(modinfo(module, 'license') ?? '');

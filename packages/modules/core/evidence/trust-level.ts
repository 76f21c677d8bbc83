/** The degree to which evidence supports a module's claims, worst first. Documented in docs/modules.md. */
export const trustLevels = [
  'contradicted',
  'unsupported',
  'consistent',
  'signed',
  'reproduced',
] as const;
export type TrustLevel = (typeof trustLevels)[number];

/**
 * One finding, and its weight.
 *
 * `proof` decides: the module contradicts itself or known facts about it. `lead` deserves a look, but by itself decides
 * nothing. `support` is in its favour. `note` is for completeness.
 */
export interface Evidence {
  /** A stable word for programs: `license-nul`, `name-differs`, `signed-by-kernel`. */
  readonly check: string;
  /** `proof` decides, `lead` deserves a look, `support` is in its favour, `note` is for completeness. */
  readonly weight: 'proof' | 'lead' | 'support' | 'note';
  /** One sentence, within what the evidence proves. */
  readonly message: string;
}

export interface Judgement {
  readonly trustLevel: TrustLevel;
  readonly evidence: readonly Evidence[];
}

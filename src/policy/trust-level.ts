/** How far the claims of a module are supported by evidence, worst first. Documented in docs/trust.md. */
export const trustLevels = [
  'contradicted',
  'unsupported',
  'consistent',
  'signed',
  'reproduced',
] as const;
export type TrustLevel = (typeof trustLevels)[number];

/**
 * One thing that was found, and what it is worth.
 *
 * `proof` decides: the module contradicts itself or what is known of it. `lead` deserves a look, and decides
 * nothing alone. `support` speaks for it. `note` is for completeness.
 */
export interface Evidence {
  /** Stable word for programs: `license-nul`, `name-differs`, `signed-by-kernel`. */
  readonly check: string;
  readonly weight: 'proof' | 'lead' | 'support' | 'note';
  /** One sentence, within what the evidence proves. */
  readonly message: string;
}

export interface Judgement {
  readonly trustLevel: TrustLevel;
  readonly evidence: readonly Evidence[];
}

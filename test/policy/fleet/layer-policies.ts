/** Merges texts of policies, as a host does with its release and its own file. */
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Diagnostic } from '../../../src/policy/diagnostic.ts';
import type { PolicyDocument } from '../../../src/policy/document.ts';
import { layerDocuments, type MergedText } from '../../../src/policy/fleet/layers.ts';
import { parsePolicy } from '../../../src/policy/parse.ts';

interface Layer {
  readonly file: string;
  readonly text: string;
}

/** Merges texts, the lowest first. Each must be a policy by itself; otherwise their errors are returned. */
export function layerPolicies(layers: readonly Layer[]): Result<MergedText, readonly Diagnostic[]> {
  const errors: Diagnostic[] = [];
  const documents: PolicyDocument[] = [];
  for (const { file, text } of layers) {
    const { document, diagnostics } = parsePolicy(file, text);
    errors.push(...diagnostics.list.filter(({ severity }) => severity === 'error'));
    if (document !== undefined) documents.push(document);
  }
  return errors.length > 0 ? fail(errors) : ok(layerDocuments(documents));
}

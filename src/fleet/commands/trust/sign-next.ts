/** Makes or signs the next version of the trust. */
import { join } from 'node:path';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { exitCodes, type ExitCode } from '../../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../../cli/shared/output.ts';
import { namespaces, type Envelope, type TrustDocument } from '../../core/documents.ts';
import { blobOf, documentText } from '../../core/parse.ts';
import { changeTrust, type TrustChange } from '../../core/trust-change.ts';
import {
  fleetFiles,
  readTrust,
  writeTrust,
  type KeptTrust,
} from '../../io/directory/fleet-directory.ts';
import { findSigner, signText } from '../../io/directory/sign.ts';
import type { SigningOptions } from '../shared-options.ts';
import { trustJson, trustText } from './kept.ts';

export interface ChangeOptions extends SigningOptions {
  /** Milliseconds from now. */
  readonly expires: number;
}

/** Makes the next version, signs it as this person, and shows what it waits for. */
export function changeAndSign(change: TrustChange, options: ChangeOptions): ExitCode {
  const kept = readTrust(options.directory);
  if (!kept.ok) return failWith(kept.error);
  const { trust, next } = kept.value;
  const expires = new Date(Date.now() + options.expires).toISOString();
  // Several changes in a row make one version.
  const changed = changeTrust(trust, next?.trust ?? trust, change, expires);
  if (!changed.ok) return failWith({ action: 'change the trust', ...changed.error });
  const envelope = { document: documentText(changed.value), signatures: [] };
  return signAndShow(kept.value, { envelope, trust: changed.value }, options);
}

interface Next {
  readonly envelope: Envelope;
  readonly trust: TrustDocument;
}

export function signAndShow(kept: KeptTrust, next: Next, options: SigningOptions): ExitCode {
  const signed = signNext(kept, next, options);
  if (!signed.ok) return failWith(signed.error);
  const written = writeTrust(options.directory, [...kept.chain, signed.value]);
  if (!written.ok) return failWith(written.error);
  const after = readTrust(options.directory);
  if (!after.ok) return failWith(after.error);
  const shown = trustJson(after.value);
  if (options.json === true) printJson(shown);
  else print(`${trustText(shown)}\n${join(options.directory, fleetFiles.trust)} is written.`);
  return exitCodes.done;
}

function signNext(
  { trust }: KeptTrust,
  { envelope, trust: next }: Next,
  { key }: SigningOptions,
): Result<Envelope, Problem> {
  const joining = next.people.filter(
    (each) => !trust.people.some((known) => blobOf(known) === blobOf(each)),
  );
  const signer = findSigner([...trust.people, ...joining], key);
  if (!signer.ok) return signer;
  const made = signText(signer.value, envelope.document, namespaces.trust);
  if (!made.ok) return made;
  if (envelope.signatures.length > next.people.length + trust.people.length)
    return failed({ action: 'sign the trust', reason: 'it has more signatures than people' });
  return ok({ ...envelope, signatures: [...envelope.signatures, made.value] });
}

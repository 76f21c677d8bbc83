/**
 * The loader's check of a signature, before anything else.
 *
 * An invalid signature is always refused. A missing signature, or one that cannot be checked, is
 * refused only if signatures are enforced or the kernel is locked down. Sources:
 * kernel/module/signing.c; kernel/module_signature.c; crypto/asymmetric_keys/pkcs7_verify.c;
 * security/lockdown/lockdown.c.
 */
import type { Kernel } from '../kernel/kernel.ts';
import type { AppendedSignature, SignatureCheck } from '../record/module.ts';
import type { LoaderOptions } from './candidate.ts';
import type { LoaderErrno } from './errno.ts';

type SignatureDecision =
  | {
      readonly kind: 'pass';
      readonly signed: boolean;
      /**
       * The log line, which a module that passes may have too: the kernel logs a signature that is
       * not PKCS#7.
       */
      readonly message: string | undefined;
    }
  | {
      readonly kind: 'refused';
      readonly errno: LoaderErrno;
      readonly messages: readonly string[];
      readonly reason: string;
    };

type SoftOutcome = 'none' | 'unsupported' | 'unknown key';

const soft: Readonly<Record<SoftOutcome, { readonly kernel: string; readonly reason: string }>> = {
  none: { kernel: 'unsigned module', reason: 'It is not signed' },
  unsupported: {
    kernel: 'module with unsupported crypto',
    reason: 'Its signature is of a kind that the kernel does not check',
  },
  'unknown key': {
    kernel: 'module with unavailable key',
    reason: 'It is signed with a key that this kernel is not known to trust',
  },
};

export function decideSignature(
  check: SignatureCheck,
  appended: AppendedSignature | undefined,
  kernel: Kernel,
  options: LoaderOptions,
): SignatureDecision {
  if (!kernel.config.signatures) return { kind: 'pass', signed: false, message: undefined };
  // The flags ask for a changed module, which is not the one that was signed.
  const { vermagic = false, modversions = false } = options.force ?? {};
  if (vermagic || modversions) return decideSoft('none', undefined, kernel, options);
  if (hasSignedAttributes(appended) && isReadable(check)) {
    return refused(
      'EKEYREJECTED',
      ['PKCS7: Invalid module sig (has authattrs)'],
      'Its signature has signed attributes, which the kernel does not accept on modules',
    );
  }
  switch (check.outcome) {
    case 'good':
      return { kind: 'pass', signed: true, message: undefined };
    case 'bad':
      return refused('EKEYREJECTED', [], 'Its signature is not that of this file');
    case 'malformed':
      return refused('EBADMSG', linesOf(appended), 'Its signature cannot be read');
    case 'none':
    case 'unsupported':
    case 'unknown key':
      return decideSoft(check.outcome, appended, kernel, options);
  }
}

const refused = (
  errno: LoaderErrno,
  messages: readonly string[],
  reason: string,
): SignatureDecision => ({
  kind: 'refused',
  errno,
  messages,
  reason,
});

const isReadable = ({ outcome }: SignatureCheck): boolean =>
  outcome === 'good' || outcome === 'bad' || outcome === 'unknown key';

const hasSignedAttributes = (appended: AppendedSignature | undefined): boolean =>
  appended?.kind === 'pkcs7' &&
  appended.signers.some((each) => each.signedAttributes !== undefined);

const linesOf = (appended: AppendedSignature | undefined): readonly string[] =>
  appended?.kind === 'malformed' && appended.message !== undefined ? [appended.message] : [];

function decideSoft(
  outcome: SoftOutcome,
  appended: AppendedSignature | undefined,
  { config, settings }: Kernel,
  { process = 'insmod' }: LoaderOptions,
): SignatureDecision {
  const words = soft[outcome];
  const typeLine =
    appended?.kind === 'unsupported' ? ['module: not signed with expected PKCS#7 message'] : [];
  if (config.signaturesForced || settings.enforceSignatures) {
    const line = `Loading of ${words.kernel} is rejected`;
    return refused(
      'EKEYREJECTED',
      [...typeLine, line],
      `${words.reason}, and this kernel loads signed modules only`,
    );
  }
  if (settings.lockdown !== 'none') {
    const line = `Lockdown: ${process}: unsigned module loading is restricted; see man kernel_lockdown.7`;
    return refused(
      'EPERM',
      [...typeLine, line],
      `${words.reason}, and this kernel is locked down (${settings.lockdown}), so it loads signed modules only`,
    );
  }
  return { kind: 'pass', signed: false, message: typeLine[0] };
}

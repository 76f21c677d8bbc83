/**
 * ECDSA by the system's libcrypto, by FFI: distributions' builds verify in three quarters of the
 * time that Node's own takes. Undefined where it is not installed.
 *
 * Only its yes counts. After any other result Node decides, so that an odd library can make nothing
 * look forged.
 */
import { createHash, type KeyObject } from 'node:crypto';
import koffi from 'koffi';

/** Whether a signature (DER) over content is certainly good. */
export type QuickVerifier = (digest: string, content: Uint8Array, signature: Uint8Array) => boolean;

interface Library {
  readonly readKey: (der: Uint8Array) => unknown;
  readonly verify: (context: unknown, signature: Uint8Array, digest: Uint8Array) => boolean;
}

let library: { readonly value: Library | undefined } | undefined;

/**
 * Returns a verifier for a key, which it holds as long as the thread lives. Undefined for keys that
 * are not of a curve.
 */
export function quickVerifier(key: KeyObject): QuickVerifier | undefined {
  if (key.asymmetricKeyType !== 'ec') return undefined;
  library ??= { value: load() };
  const found = library.value;
  const context = found?.readKey(key.export({ type: 'spki', format: 'der' }));
  if (found === undefined || context === null || context === undefined) return undefined;
  return (digest, content, signature) =>
    found.verify(context, signature, createHash(digest).update(content).digest());
}

/** The option to ignore the host's configuration, which could replace the functions called here. */
const initWithoutConfiguration = 0x80;

function load(): Library | undefined {
  try {
    // Node has a libcrypto of its own; without `deep` the functions would call into that one.
    return functionsOf(koffi.load('libcrypto.so.3', { deep: true }));
  } catch {
    return undefined;
  }
}

/** Binds the functions. Sources: OPENSSL_init_crypto(3), d2i_PUBKEY_bio(3), EVP_PKEY_verify(3). */
function functionsOf(crypto: ReturnType<typeof koffi.load>): Library | undefined {
  const init = crypto.func('int OPENSSL_init_crypto(uint64_t options, void *settings)');
  if (init(initWithoutConfiguration, null) !== 1) return undefined;
  const newBio = crypto.func('void *BIO_new_mem_buf(const void *bytes, int size)');
  const freeBio = crypto.func('int BIO_free(void *bio)');
  const readPublicKey = crypto.func('void *d2i_PUBKEY_bio(void *bio, void *into)');
  const newContext = crypto.func('void *EVP_PKEY_CTX_new(void *key, void *engine)');
  const initVerify = crypto.func('int EVP_PKEY_verify_init(void *context)');
  const verify = crypto.func(
    'int EVP_PKEY_verify(void *context, const void *signature, size_t signatureSize, const void *digest, size_t digestSize)',
  );
  const clearErrors = crypto.func('void ERR_clear_error(void)');
  return {
    readKey: (der) => {
      const bio: unknown = newBio(der, der.length);
      const key: unknown = bio === null ? null : readPublicKey(bio, null);
      freeBio(bio);
      const context: unknown = key === null ? null : newContext(key, null);
      return context !== null && initVerify(context) === 1 ? context : undefined;
    },
    verify: (context, signature, digest) => {
      const good = verify(context, signature, signature.length, digest, digest.length) === 1;
      if (!good) clearErrors();
      return good;
    },
  };
}

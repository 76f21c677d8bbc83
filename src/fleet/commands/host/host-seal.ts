/** The host's key for files that people carry to other hosts, such as the history of a tenant. */
import { createHash } from 'node:crypto';
import type { HostSeal } from '../../../cli/capability.ts';
import { fleetDirectoryOf } from '../../../host/paths.ts';
import { ok } from '../../../../packages/base/result.ts';
import { hostNamespaces } from '../../core/told/signed.ts';
import { HostStore } from '../../io/host-store.ts';
import { isSignedByHost } from '../../io/verify/host-signature.ts';
import { wireString } from '../../io/verify/wire.ts';
import { readHostKey } from '../../io/outbox/host-key.ts';

export const hostSeal: HostSeal = {
  memberOf(paths) {
    const state = new HostStore(fleetDirectoryOf(paths)).readState();
    if (!state.ok || state.value === undefined) return state.ok ? ok(undefined) : state;
    const { fleet, host } = state.value;
    return ok({ fleet, host });
  },
  seal(paths, document) {
    const key = readHostKey(fleetDirectoryOf(paths));
    return key.ok ? ok(key.value.sign(hostNamespaces.history, document)) : key;
  },
  isGenuine: (sealed) => isSignedByHost(hostNamespaces.history, { format: 1, ...sealed }),
  fingerprintOf(key) {
    const parts = ['ssh-ed25519', Buffer.from(key, 'base64url')].map((each) => wireString(each));
    const hash = createHash('sha256').update(Buffer.concat(parts)).digest('base64');
    return `SHA256:${hash.replace(/=+$/, '')}`;
  },
};

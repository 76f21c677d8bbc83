/** Finds the tenant for whom systemd holds a socket, by the units of tenants' services. */
import { stemPattern } from '../../../layouts/service-names.ts';
import { addressKey, parseAddress, sameAddress, type Address } from '../../core/address.ts';
import { contentAt } from '../../../sys/files/file-set.ts';
import { streamsOf } from './installed.ts';
import { namesIn } from '../../../../packages/base/io/read.ts';

const directory = '/etc/systemd/system';

export function readHeldSockets(instance: string): (address: Address) => number | undefined {
  const pattern = new RegExp(
    `^${instance}(?:${stemPattern}|-app)@(?<uid>[1-9]\\d{0,9}):.+\\.socket$`,
  );
  const held = new Map<string, { readonly address: Address; readonly uid: number }>();
  for (const name of namesIn(directory)) {
    const uid = pattern.exec(name)?.groups?.['uid'];
    if (uid === undefined) continue;
    for (const stream of streamsOf(contentAt(`${directory}/${name}`))) {
      const address = parseAddress(stream);
      if (address !== undefined) held.set(addressKey(address), { address, uid: Number(uid) });
    }
  }
  return (address) => {
    const found = held.get(addressKey(address));
    return found !== undefined && sameAddress(found.address, address) ? found.uid : undefined;
  };
}

/** Finds strangers at the TCP ports of pools, all of which stay with the distribution's php-fpm. */
import { realPathOf } from '../../../../packages/base/io/read.ts';
import { AccountNames } from '../../../host/accounts/account-names.ts';
import { parseAddress } from '../../core/address.ts';
import type { KeptPool } from '../../core/fpm/service/split.ts';
import { strangersAt, type PoolStranger } from '../../core/fpm/strangers.ts';
import { readPorts } from '../ports.ts';
import type { FpmContext } from './context.ts';

export function readStrangers(
  { fpm, paths }: Pick<FpmContext, 'fpm' | 'paths'>,
  pools: readonly Pick<KeptPool, 'pool' | 'listen'>[],
): readonly PoolStranger[] {
  const listening = pools.flatMap(({ pool, listen }) => {
    const address = parseAddress(listen);
    return address === undefined ? [] : [{ pool, address }];
  });
  const ports = readPorts(
    paths.proc,
    listening.map(({ address }) => address),
  );
  const names = new AccountNames(paths);
  const program = realPathOf(fpm.program) ?? fpm.program;
  return listening.flatMap(({ pool, address }) =>
    strangersAt(address, program, ports, (uid) => names.namesOf(uid)[0]).map((each) => ({
      pool,
      ...each,
    })),
  );
}

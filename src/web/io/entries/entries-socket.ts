/** The socket to which web servers send a datagram for each request that they refuse. */
import type { Paths } from '../../../host/paths.ts';

export const entriesSocket = ({ runtime }: Pick<Paths, 'runtime'>): string => `${runtime}/web.sock`;

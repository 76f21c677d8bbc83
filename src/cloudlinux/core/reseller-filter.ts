/** The tenants that `--for-reseller` names, with the same meaning in all commands. */

/** The administrator's name as a reseller: the tenants that have no reseller. */
export const administrator = 'root';

/** Whether a tenant with this reseller is asked for. Without a filter, all are. */
export const isOfReseller = (filter: string | undefined, reseller: string | undefined): boolean =>
  filter === undefined || (reseller ?? administrator) === filter;

/** The words of a tenant's page that root and resellers see, and the tenant does not. */
export const tenantPage = {
  about: {
    package: (name: string) => `package ${name}`,
    reseller: (name: string) => `reseller ${name}`,
    uid: (uid: number) => `uid ${uid}`,
    sum: 'all tenants of this reseller together',
    siteOf: (name: string) => `a site of ${name}`,
  },
  openAs: {
    open: (name: string) => `Open as ${name}…`,
    hint: (name: string) =>
      `A new tab shows what ${name} sees. It can change nothing, ends with this session, and is recorded.`,
    link: (name: string) => `Open the page of ${name}`,
  },
  changes: {
    title: 'Changes',
    none: 'The policy has not changed this tenant.',
    older: 'Older changes',
  },
};

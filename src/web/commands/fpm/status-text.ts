/** Words that the commands of `web fpm` share. */
export const masterText = (asRoot: string | undefined): string =>
  asRoot === undefined ? 'tenant' : `root (${asRoot})`;

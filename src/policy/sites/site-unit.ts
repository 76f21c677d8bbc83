/** The name of a site as a part of the name of a unit of systemd. */

/** systemd takes a dash for the end of the slice above. */
export const escapedSite = (site: string): string => site.replaceAll('-', String.raw`\x2d`);

export const unescapedSite = (escaped: string): string => escaped.replaceAll(String.raw`\x2d`, '-');

/** Names of units have 255 bytes at most, which a site's shares with a uid and the name of an instance. */
const bytesMax = 190;

export const fitsUnit = (site: string): boolean => escapedSite(site).length <= bytesMax;

/** The name of a site as a part of a systemd unit name. */

/** Escapes dashes, which systemd takes for the end of the parent slice. */
export const escapedSite = (site: string): string => site.replaceAll('-', String.raw`\x2d`);

export const unescapedSite = (escaped: string): string => escaped.replaceAll(String.raw`\x2d`, '-');

/** The maximum length in bytes: unit names have at most 255, which a site's shares with a uid and an instance name. */
const bytesMax = 190;

export const fitsUnit = (site: string): boolean => escapedSite(site).length <= bytesMax;

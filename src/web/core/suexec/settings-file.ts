/**
 * The settings of bulkhead-suexec, in a file beside it. It is setuid root, so only root may be able to change the file.
 *
 *     suexec 1                                  the version of this format
 *     instance bulkhead
 *     caller 33                                 the uid of the web server, which alone may call it
 *     program /usr/lib/apache2/suexec-custom    the distribution's suexec, which is executed in the tenant's cgroup
 *     end
 *
 * entry/parse.c reads it.
 */
export interface SuexecSettings {
  readonly instance: string;
  /** The uid of the web server. */
  readonly caller: number;
  /** The path of the distribution's suexec. */
  readonly program: string;
}

export const formatSettings = ({ instance, caller, program }: SuexecSettings): string =>
  `suexec 1\ninstance ${instance}\ncaller ${caller}\nprogram ${program}\nend\n`;

/** Returns nothing if the text is damaged or of another version. */
export function parseSettings(text: string): SuexecSettings | undefined {
  const [, instance, caller, program] =
    /^suexec 1\ninstance (.+)\ncaller ([1-9]\d{0,9})\nprogram (\/.+)\nend\n$/.exec(text) ?? [];
  if (instance === undefined || caller === undefined || program === undefined) return undefined;
  return { instance, caller: Number(caller), program };
}

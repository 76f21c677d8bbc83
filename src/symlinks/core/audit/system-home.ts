/**
 * Accounts whose home is a directory of the system: the files there are not theirs, and reading all of them would take
 * long and find nothing.
 */
const tops =
  /^\/*(bin|boot|dev|etc|home|lib\w*|lost\+found|media|mnt|opt|proc|root|run|sbin|snap|srv|sys|tmp|usr|var)?\/*$/;
const whole = /^\/(bin|boot|dev|etc|lib\w*|proc|sbin|sys|usr)\//;

export const isSystemDirectory = (path: string): boolean => tops.test(path) || whole.test(path);

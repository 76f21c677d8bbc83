/** The errors that the loader refuses a module with. Source: include/uapi/asm-generic/errno.h. */
export const loaderErrnos = {
  EPERM: 1,
  ENOENT: 2,
  ENOEXEC: 8,
  ENOMEM: 12,
  EEXIST: 17,
  EINVAL: 22,
  EBADMSG: 74,
  EKEYREJECTED: 129,
} as const;
export type LoaderErrno = keyof typeof loaderErrnos;

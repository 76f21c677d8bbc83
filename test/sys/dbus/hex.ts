/** Bytes in hexadecimal, with spaces, as the specification shows them. */

export const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

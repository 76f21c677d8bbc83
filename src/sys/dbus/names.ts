/** Names of D-Bus objects. Source: D-Bus Specification, "Valid Object Paths". */
export const isObjectPath = (text: string): boolean => /^\/(?:\w+(?:\/\w+)*)?$/.test(text);

/** D-Bus names. Source: D-Bus Specification, "Valid Names", "Valid Object Paths". */

export const isObjectPath = (text: string): boolean => /^\/(?:\w+(?:\/\w+)*)?$/.test(text);

/** Whether the text can name a bus, an interface or an error in a match rule or a header. */
export const isDottedName = (text: string): boolean =>
  text.length <= 255 && /^:?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+$/.test(text);

export const isMemberName = (text: string): boolean =>
  text.length <= 255 && /^[A-Za-z_][A-Za-z0-9_]*$/.test(text);

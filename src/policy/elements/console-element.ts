/** The description of `<console>`. */
import { optional, type ElementSpec } from './element-spec.ts';

export const consoleElement: ElementSpec = {
  summary:
    'Settings of the console in the browser; "bulkhead console enable" starts it. See docs/console.md.',
  attributes: {
    names: optional(
      'hosts',
      'Other names by which browsers may call this host, such as the name at a web server in front of the console.',
    ),
    frames: optional(
      'origins',
      'Control panels whose pages may show the console in a frame. What is shown there can change nothing.',
    ),
    listen: optional(
      'endpoint',
      'An address and port on which the console also listens, with TLS; 0.0.0.0 stands for all addresses, of IPv6 too; default: only its unix socket.',
    ),
    certificate: optional(
      'path',
      "The file with the certificate and its issuers' certificates, in PEM. A changed file is read again.",
    ),
    key: optional('path', 'The file with the private key, in PEM. Only root may read it.'),
  },
  children: [],
  holdsLimits: false,
  repeats: false,
  example:
    '<console names="limits.example" frames="https://panel.example:2083" listen="0.0.0.0:843" certificate="/etc/letsencrypt/live/limits.example/fullchain.pem" key="/etc/letsencrypt/live/limits.example/privkey.pem"/>',
};

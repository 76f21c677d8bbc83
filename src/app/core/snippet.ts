/** The lines with which a vhost passes requests to an application. */

export const snippetServers = ['nginx', 'apache'] as const;
export type SnippetServer = (typeof snippetServers)[number];

export const snippet: Readonly<Record<SnippetServer, (socket: string) => string>> = {
  nginx: (socket) => `location / {
    proxy_pass http://unix:${socket};
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $http_connection;
    # A program that starts with this request may take as long.
    proxy_read_timeout 60s;
}`,
  apache: (socket) => `# a2enmod proxy proxy_http headers
ProxyPreserveHost On
ProxyPass "/" "unix:${socket}|http://localhost/" timeout=60
ProxyPassReverse "/" "http://localhost/"
RequestHeader set X-Forwarded-Proto expr=%{REQUEST_SCHEME}`,
};

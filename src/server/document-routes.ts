/**
 * The API told by the server itself: `/openapi.json` for programs, `/docs/` for people. Both are made of the
 * route table, so neither can tell of a route that is not there.
 *
 * Chroma shows Swagger's page at `/docs`. Its scripts are a megabyte to carry, or a network that a database
 * may not have; this page is one file of plain HTML and runs nothing.
 */
import { RELEASE_VERSION } from '../api/index.ts';
import { describeRoutes } from './openapi.ts';
import { plainRoute, type Route } from './route.ts';
import type { JsonSchema } from './shape.ts';

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}' +
  'code,pre{font:14px/1.4 ui-monospace,monospace}pre{overflow:auto;padding:.5rem;border:1px solid #8886}' +
  'summary{cursor:pointer;padding:.2rem 0}:root{color-scheme:light dark}';

/** Nothing is fetched and nothing runs, whatever a browser finds in the page. */
const PAGE_HEADERS = { 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'" };

/** The descriptions of a route table, which are not in it themselves. */
export function documentRoutes(routes: readonly Route[]): readonly Route[] {
  const document = JSON.stringify(describeRoutes(routes));
  const page = describePage(routes);
  const heading = { method: 'GET', tag: 'System' } as const;
  return [
    plainRoute(
      { ...heading, path: '/openapi.json', operation: 'openapi', summary: 'The OpenAPI document' },
      { statuses: [200], respond: async () => ({ status: 200, body: document }) },
    ),
    plainRoute(
      { ...heading, path: '/docs', operation: 'docs', summary: 'The way to the page' },
      {
        statuses: [303],
        respond: async () => ({ status: 303, body: '{}', headers: { location: '/docs/' } }),
      },
    ),
    plainRoute(
      { ...heading, path: '/docs/', operation: 'docs_page', summary: 'The API as a page' },
      {
        statuses: [200],
        respond: async () => ({
          status: 200,
          body: page,
          contentType: 'text/html; charset=utf-8',
          headers: PAGE_HEADERS,
        }),
      },
    ),
  ];
}

function describePage(routes: readonly Route[]): string {
  const tags = [...new Set(routes.map(({ tag }) => tag))];
  const sections = tags.map((tag) => {
    const entries = routes.filter((route) => route.tag === tag).map(describeEntry);
    return `<h2>${escapeHtml(tag)}</h2>\n${entries.join('\n')}`;
  });
  return [
    '<!DOCTYPE html>',
    `<html lang="en"><head><meta charset="utf-8"><title>Tessera ${RELEASE_VERSION}</title>`,
    `<meta name="viewport" content="width=device-width"><style>${STYLE}</style></head><body>`,
    `<h1>Tessera ${RELEASE_VERSION}</h1>`,
    "<p>An embedding database that speaks the HTTP API v2 of Chroma's clients. For programs, this page is",
    '<a href="/openapi.json">/openapi.json</a>.</p>',
    ...sections,
    '</body></html>\n',
  ].join('\n');
}

function describeEntry({ method, path, summary, parameters, body }: Route): string {
  const query = parameters.length === 0 ? '' : `?${parameters.map(({ name }) => name).join('&')}`;
  const place = `${method} ${path.replace(/:(\w+)/g, '{$1}')}${query}`;
  const title = `<code>${escapeHtml(place)}</code> ${escapeHtml(summary)}`;
  if (body === null) return `<p>${title}</p>`;
  return `<details><summary>${title}</summary><pre>${formatSchema(body.schema)}</pre></details>`;
}

function formatSchema(schema: JsonSchema): string {
  return escapeHtml(JSON.stringify(schema, null, 2));
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
